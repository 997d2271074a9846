# A short front for Meson. Each target first installs the Debian packages it lacks.

PREFIX ?= /usr/local

help:
	@echo 'make run                    build, and run the example (SQLite unless DATABASE_TYPE or DATABASE_URL is set)'
	@echo 'make test [TESTS="NAME …"]  everything that is checked; make quick: with one build by gcc only'
	@echo 'make soak                   half an hour of random faults: a bank, a proxy, restarts, killed writers'
	@echo 'make fuzz                   ten minutes of garbage for each reader of texts, never the same'
	@echo 'make bench [BENCH="NAME …"] measure against libpq and SQLite themselves'
	@echo 'make coverage               how many of the lines of src/ the tests run'
	@echo 'make install [PREFIX=/usr] [DESTDIR=…]'
	@echo 'make format                 let clang-format do the layout'
	@echo 'make clean                  remove what was built'

program:
	@scripts/install-dependencies build
	@[ -e build/build.ninja ] || meson setup build >build.log 2>&1 || { cat build.log; rm -rf build build.log; false; }
	@rm -f build.log
	@ninja --quiet -C build

run: program
	@if [ -z "$$DATABASE_URL$$DATABASE_TYPE" ]; then \
	    export DATABASE_TYPE=sqlite DATABASE_NAME="$${DATABASE_NAME:-items}"; \
	fi; exec build/examples/items

test:
	@scripts/install-dependencies test
	@tests/run $(TESTS)

quick:
	@scripts/install-dependencies test
	@tests/run --quick $(TESTS)

# Each of the four goes on for as long as that says; one file is written to through so many kills.
soak:
	@scripts/install-dependencies test
	@LIDO_SOAK_SECONDS=$${LIDO_SOAK_SECONDS:-450} LIDO_TEST_KILLS=$${LIDO_TEST_KILLS:-1000} \
	    tests/run --quick fault/bank fault/proxy fault/restart fault/kill

fuzz:
	@scripts/install-dependencies test
	@tests/run --fuzz

bench: program
	@scripts/install-dependencies test
	@tests/support/with-postgres build/bench/lido-bench $(BENCH)

coverage:
	@scripts/install-dependencies test
	@tests/run --coverage

install: program
	@meson configure build -Dprefix=$(PREFIX)
	@meson install -C build
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" -eq 0 ]; then ldconfig; fi

format:
	@scripts/install-dependencies test
	@tests/support/check-format --fix

clean:
	@rm -rf build build-*

.PHONY: help program run test quick soak fuzz bench coverage install format clean
