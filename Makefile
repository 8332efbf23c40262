.DEFAULT_GOAL := help
.PHONY: help demo test lint bench setup

help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## build, and run the gate in front of a sample panel; prints addresses, users and codes
	scripts/setup.sh
	cargo run --locked -- demo

test: setup lint ## everything: format, lints, unit, property, integration, real-proxy and browser tests
	cargo test --locked --all-targets

lint: ## format and lints
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings

bench: ## measure the gate beside its floors; writes target/bench/report.md. ONLY="sidecar proxies" for parts of it
	scripts/setup.sh bench
	cd bench && cargo build --release --locked
	cd bench && ../target/bench-build/release/panelgate-bench $(ONLY)

setup: ## install what the tests need: the five proxies, Chromium, fail2ban, a QR decoder, cmake, a C compiler
	scripts/setup.sh test
