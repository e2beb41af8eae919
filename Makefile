# The commands people use. Each installs what it needs on a fresh machine.

.PHONY: demo test check postgres

# Runs everything on a private PostgreSQL with sample data. make demo ARGS="--no-traffic" passes options on.
demo:
	@scripts/setup demo
	@cargo build --quiet --release --bin pgtrack
	@target/release/pgtrack demo $(ARGS)

# PostgreSQL versions that the tests run on.
VERSIONS ?= 15 16 17 18

# Runs every test on real servers, in a real browser.
test: postgres
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
