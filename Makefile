# The commands people use. Each installs what it needs on a fresh machine.

.PHONY: demo test test-sql test-proxy bench-proxy fuzz check docs postgres drivers

# Runs everything on a private PostgreSQL with sample data. make demo ARGS="--no-traffic" passes options on.
demo:
	@scripts/setup demo
	@cargo build --quiet --release --bin pgtrack
	@target/release/pgtrack demo $(ARGS)

# PostgreSQL versions that the tests run on.
VERSIONS ?= 15 16 17 18

# Runs every test on real servers, in a real browser.
test: postgres drivers
	PGTRACK_TEST_VERSIONS="$(VERSIONS)" scripts/test

# Formatting, lints, documentation.
check:
	@scripts/setup demo
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --quiet

# The server versions that the distribution does not have.
postgres:
	@scripts/setup test
	@scripts/postgres $(VERSIONS)
	@scripts/axe

# The tests of the SQL engine alone.
test-sql: postgres
	PGTRACK_TEST_VERSIONS="$(VERSIONS)" scripts/test --package pgtrack-tracker

# Writes docs/sql.md from the comments in the database.
docs: postgres
	PGTRACK_WRITE_DOCS=1 scripts/test --package pgtrack-tracker -- reference

# The database drivers that the proxy is tried with.
drivers: postgres
	@scripts/drivers

# The tests of the proxy alone.
test-proxy: postgres drivers
	PGTRACK_TEST_VERSIONS="$(VERSIONS)" scripts/test --package pgtrack-proxy

# Compares the proxy with a direct connection, with PgBouncer, and with what OTHERS="name=host:port:pid …" gives.
# PGBOUNCER=path is another build of that.
# make bench-proxy FULL=1 takes an hour and believes less in luck; ONLY=word runs the workloads with that word.
bench-proxy:
	@scripts/setup bench
	@cargo build --quiet --release -p pgtrack-proxy --example relay
	@cargo run --quiet -p pgtrack-proxy --example bench -- $(if $(FULL),--full) $(if $(ONLY),--only "$(ONLY)") $(OTHERS)

# Looks for input that the proxy does not stand. make fuzz SECONDS=600 takes longer for each target.
SECONDS ?= 60
fuzz:
	@scripts/setup demo
	@scripts/fuzz $(SECONDS)
