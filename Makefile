# The commands people use. Each installs what it needs on a fresh machine.

.PHONY: demo test regress sql test-sql laws test-proxy bench bench-capture bench-instructions bench-ddl bench-undo bench-proxy release packages try-packages image fuzz soak check docs postgres drivers

# Runs everything on a private PostgreSQL with sample data. make demo ARGS="--no-traffic" passes options on.
demo:
	@scripts/setup demo
	@cargo build --quiet --release --bin pgtrack
	@target/release/pgtrack demo $(ARGS)

# PostgreSQL versions that the tests run on.
VERSIONS ?= 15 16 17 18

# Runs every test on real servers, in a real browser.
test: postgres drivers
	PGTRACK_TEST_VERSIONS="$(VERSIONS)" scripts/test --workspace --features pgtrack/cloud

# PostgreSQL's own regression suite, with its schemas tracked from the first statement: what is different then is explained in
# scripts/regress-differences. Takes a quarter of an hour; apt has to know the distribution's sources.
regress:
	@scripts/setup test
	@scripts/regress

# Formatting, lints, documentation, and how safe the SQL is.
check:
	@scripts/setup check
	@scripts/pgspot
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --quiet

# The server versions that the distribution does not have.
postgres:
	@scripts/setup test
	@scripts/postgres $(VERSIONS)
	@scripts/axe

# Writes sql/pg_track--1.0.sql from its parts.
sql:
	@sql/assemble >sql/pg_track--1.0.sql.new && mv sql/pg_track--1.0.sql.new sql/pg_track--1.0.sql

# The tests of the SQL engine alone.
test-sql: postgres
	PGTRACK_TEST_VERSIONS="$(VERSIONS)" scripts/test --package pgtrack-tracker

# Tries the laws that hold for all histories on many random ones, for a night: make laws CASES=1000. What breaks a law is
# printed as small as it can be; SEED=number repeats a run.
CASES ?= 200
SEED ?= $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')
laws: SEED := $(SEED)
laws: postgres
	@echo "make laws CASES=$(CASES) SEED=$(SEED)"
	@PGTRACK_TEST_VERSIONS="15 18" PGTRACK_TEST_CASES=$(CASES) PGTRACK_TEST_SEED=$(SEED) NEXTEST_PROFILE=laws scripts/test --package pgtrack-tracker --test sql -- laws::

# Writes the references: docs/sql.md from the comments in the database, docs/cli.md from the command line, and
# docs/configuration.md from config.example.toml; sql/golden/ from what is generated for a sample.
docs: postgres
	PGTRACK_WRITE_DOCS=1 scripts/test --package pgtrack-tracker --package pgtrack -- reference

# The database drivers that the proxy is tried with.
drivers: postgres
	@scripts/drivers

# The tests of the proxy alone.
test-proxy: postgres drivers
	PGTRACK_TEST_VERSIONS="$(VERSIONS)" scripts/test --package pgtrack-proxy

# All benchmarks.
bench: bench-capture bench-ddl bench-undo bench-proxy

# Measures what recording costs, against no tracking and against the peers in PEERS=directory: of each a folder with
# install.sql and track.sql, which tracks the table :table. FULL=1 takes longer and reads 50 million changes;
# ONLY=write, traffic or read runs a part. PGTRACK_TEST_VERSIONS=18 takes another server.
bench-capture:
	@scripts/setup bench
	@cargo run --quiet -p pgtrack-tracker --example capture -- $(if $(FULL),--full) $(if $(ONLY),--only "$(ONLY)") $(PEERS)

# Counts the server's instructions for statements, without recording, as BASE=revision recorded, and as this tree records.
# PGBIN=directory takes another server; ONLY="insert update" takes some of the workloads.
bench-instructions:
	@scripts/setup bench
	@scripts/bench-instructions $(ONLY)

# Measures DDL, track() and verify() where tables are many. TABLES="100 1000" takes fewer of them.
bench-ddl:
	@scripts/setup bench
	@scripts/bench-ddl $(TABLES)

# Measures undo and its plan where rows are many. ROWS="10000 200000" takes fewer of them, FULL=1 5 million, too; PGBIN=directory
# has the programs of another server; ONLY=trigger takes one subject.
bench-undo:
	@scripts/setup bench
	@FULL=$(FULL) ONLY="$(ONLY)" scripts/bench-undo $(ROWS)

# Compares the proxy with a direct connection, with PgBouncer, and with what OTHERS="name=host:port:pid …" gives.
# PGBOUNCER=path is another build of that.
# make bench-proxy FULL=1 takes an hour and believes less in luck; ONLY=word runs the workloads with that word.
bench-proxy:
	@scripts/setup bench
	@cargo build --quiet --release -p pgtrack-proxy --bin relay
	@cargo run --quiet -p pgtrack-proxy --example bench -- $(if $(FULL),--full) $(if $(ONLY),--only "$(ONLY)") $(OTHERS)

# Looks for input that the proxy does not stand. make fuzz SECONDS=600 takes longer for each target.
SECONDS ?= 60
fuzz:
	@scripts/setup demo
	@scripts/fuzz $(SECONDS)

# Lets clients of several drivers use the proxy for a while, and looks whether anything is left or missing then.
MINUTES ?= 30
soak: drivers
	@cargo build --quiet --release --bin pgtrack
	@cargo run --quiet -p pgtrack-proxy --example soak -- target/release/pgtrack target/drivers $(MINUTES)

# The program for others, the same bytes wherever it is built from the same commit with the same toolchain, in
# target/dist/: an archive with manual pages, completions and the SQL files, its checksum, and what it is made of (CycloneDX).
release:
	@scripts/setup demo
	@scripts/release

# target/dist/*.deb and *.rpm.
packages: release
	@scripts/packages

# Installs the .deb on a clean Debian, and tries it there. Needs root.
try-packages: packages
	@command -v debootstrap >/dev/null || apt-get install --yes --quiet=2 debootstrap
	@scripts/try-package target/dist/*.deb

# The container image.
image:
	docker build --tag pgtrack .
