# make            build the programs in bin/
# make test       make source, then all tests; as root also those against real systemd in containers
# make test-machine  temper on whole machines that qemu emulates, Debian 13, 12 and sid, with their kernels; needs root
# make test-versions  every trap, hostile service and change on every version of systemd, also without the witness; needs root
# make test-arm64  the witness and some proofs on an arm64 machine that qemu emulates; needs root
# make source     what is checked of the source without root or network: format, vet, staticcheck, tidy
# make check      the same, known vulnerabilities, and the tests with the race detector
# make test-customised  proves services that are configured otherwise than Debian does; needs root
# make test-report  looks at the page of temper report in headless Chromium, with axe-core from npm
# make test-slurm  surveys packages as an array of Slurm of which a node is killed; needs root and Slurm
# make survival   surveys services of Debian 13 that have no profile, for hours, and writes docs/survival.*; needs root
# make demo       the main job, on a real Debian 13 in a container; needs root
# make drafts     drafts services of the library and others, and writes docs/drafts.md, for hours; needs root
# make prove-library  proves every profile that we ship, on Debian 12, 13 and sid, and writes down what it found; needs root
# make module    gives go.mod and all imports the path that MODULE below says
# make picture    draws docs/prove.svg from a real run; needs root
# make bench      benchmarks
# make install    DESTDIR= PREFIX=/usr
# make dist       dist/temper-VERSION.tar.xz, with all modules in it: building it needs no network
# make deb rpm arch  packages, built in a clean Debian root without network; needs root
# make test-packages  the packages as they are released, whole: compared, installed, broken, renewed; needs root

VERSION = 0.1.0
# The path of the Go module: change it here and run "make module".
MODULE = temper
PREFIX ?= /usr
DESTDIR ?=
ZSH_COMPLETIONS ?= site-functions
GO ?= go
# sudo keeps only the system's directories in PATH; Go is often here.
export PATH := $(PATH):/usr/local/go/bin
MAKE_ROOT = testdata/roots/make-root

.PHONY: all module picture build source test test-machine test-versions test-arm64 test-report test-customised test-slurm survival check demo prove-library drafts bench made install install-debhelper dist deb rpm arch quick-deb test-packages roots package-roots tools clean
all: build

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-X main.release=$(VERSION)" -o bin/ ./cmd/...

# The source is checked while the trees are made, which wait for the network; the tests take twenty minutes. All that is
# compiled has the flags of what is released, so that it is compiled once.
test:
	export CGO_ENABLED=0 GOFLAGS="$$($(GO) env GOFLAGS) -trimpath"; \
	$(MAKE) -j3 source build roots package-roots && testdata/run-tests

test-machine: tools
	cd testdata/machine && for suite in trixie bookworm sid; do SUITE=$$suite ./boot first second third || exit; done

test-versions: roots
	$(GO) test -timeout 2h -run 'Systemd(Traps|TrapsBlind|Kinds|HostileProof)$$' ./harness -args -every \
		-blind trixie,bookworm,sid -kinds trixie,bookworm,sid
	$(GO) test -timeout 1h -run 'SystemdNoGap$$' ./integration -args -every

test-arm64: tools
	testdata/arm64/run

test-customised: tools
	testdata/roots/make-root common-trixie stack-trixie
	$(GO) test -timeout 1h -run 'SystemdCustomised$$' -parallel 2 ./integration -args -customised

test-report: build
	mkdir -p dist
	bin/temper report --state profiles/verdicts --output dist/report.html
	testdata/report/check dist/report.html

test-slurm: build tools
	testdata/slurm/run

survival: build tools
	testdata/survival/run

check: source
	testdata/vulnerabilities
	$(GO) test -race ./...

module:
	packaging/set-module $(MODULE)

source:
	test "$$($(GO) list -m)" = "$(MODULE)" || { echo "go.mod has another path than the Makefile: make module" >&2; exit 1; }
	test -z "$$($(GO) tool gofumpt -l .)" || { $(GO) tool gofumpt -d .; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags packages,exhaust ./packaging ./harness/place
	GOARCH=arm64 $(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) mod tidy -diff

# The tools and trees that tests and demo need; without root nothing is installed and the tests say what they leave out.
tools:
	testdata/install-tools

roots: tools
	test "$$(id -u)" != 0 || $(MAKE_ROOT) trixie bookworm sid bullseye common-trixie export >/dev/null
	test "$$(id -u)" != 0 || testdata/roots/make-daemons bookworm trixie sid >/dev/null

demo: build tools
	testdata/demo/run

drafts: tools
	CGO_ENABLED=0 $(GO) build -trimpath -o dist/drafts.tool ./testdata/drafts && dist/drafts.tool

prove-library: tools
	testdata/library/prove -record

bench: build roots
	$(GO) test -run '^$$' -bench . -timeout 1h ./...
	test "$$(id -u)" != 0 || testdata/bench/analyze trixie bookworm sid
	test "$$(id -u)" != 0 || testdata/bench/watch

# What the packages are built and tried in.
package-roots: tools
	test "$$(id -u)" != 0 || $(MAKE_ROOT) builder packages-bookworm packages-trixie packages-sid >/dev/null

# The terminal in the README, as it is when the command is really run.
picture: build tools
	PATH=$(CURDIR)/bin:$$PATH $(GO) run ./testdata/picture "temper prove nginx redis-server cron --image $$($(MAKE_ROOT) common-trixie)" >docs/prove.svg.new
	mv docs/prove.svg.new docs/prove.svg

# What is made from the program: manual pages and completions.
made: build
	bin/temper manual packaging/man dist/man
	mkdir -p dist/completions
	for shell in bash zsh fish; do bin/temper completion $$shell >dist/completions/$$shell || exit 1; done

INSTALL = install -D -m 644
install: made
	install -D -m 755 bin/temper $(DESTDIR)$(PREFIX)/bin/temper
	install -D -m 755 bin/temper-generator $(DESTDIR)$(PREFIX)/lib/systemd/system-generators/temper-generator
	install -D -m 755 bin/temper-decide $(DESTDIR)$(PREFIX)/lib/temper/temper-decide
	cd profiles/library && find . -name '*.toml' -exec $(INSTALL) '{}' '$(abspath $(DESTDIR)$(PREFIX))/lib/temper/profiles.d/{}' ';'
	$(INSTALL) -t $(DESTDIR)$(PREFIX)/lib/systemd/system packaging/systemd/*
	$(INSTALL) -t $(DESTDIR)$(PREFIX)/lib/systemd/catalog packaging/catalog/temper.catalog
	for page in dist/man/*; do $(INSTALL) -t $(DESTDIR)$(PREFIX)/share/man/man$${page##*.} $$page || exit 1; done
	$(INSTALL) dist/completions/bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/temper
	$(INSTALL) dist/completions/zsh $(DESTDIR)$(PREFIX)/share/zsh/$(ZSH_COMPLETIONS)/_temper
	$(INSTALL) dist/completions/fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/temper.fish
	test -e $(DESTDIR)/etc/temper/temper.toml || $(INSTALL) -t $(DESTDIR)/etc/temper packaging/temper.toml
	install -d $(DESTDIR)/etc/temper/profiles.d/base $(DESTDIR)/etc/temper/verdicts $(DESTDIR)$(PREFIX)/lib/temper/verdicts
	for v in profiles/verdicts/*.json; do test ! -e $$v || $(INSTALL) -t $(DESTDIR)$(PREFIX)/lib/temper/verdicts $$v || exit 1; done

# For packagers of other software: debhelper, autopkgtest.
install-debhelper:
	install -D -m 755 packaging/debhelper/dh_temper $(DESTDIR)$(PREFIX)/bin/dh_temper
	$(INSTALL) packaging/debhelper/temper.pm $(DESTDIR)$(PREFIX)/share/perl5/Debian/Debhelper/Sequence/temper.pm
	$(INSTALL) -t $(DESTDIR)$(PREFIX)/share/debhelper/autoscripts packaging/debhelper/postinst-temper
	$(INSTALL) -t $(DESTDIR)$(PREFIX)/share/doc/dh-temper/examples packaging/debhelper/autopkgtest/control
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/share/doc/dh-temper/examples packaging/debhelper/autopkgtest/proven
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	pod2man --utf8 --center=debhelper --release=temper packaging/debhelper/dh_temper $(DESTDIR)$(PREFIX)/share/man/man1/dh_temper.1

dist:
	packaging/make-dist $(VERSION)

deb rpm arch: dist
	packaging/build $@ $(VERSION)

# For those who try the packages: without the tests in them.
quick-deb: dist
	packaging/build deb $(VERSION) quick
	@echo "the packages are in dist/quick/deb: sudo apt-get install ./dist/quick/deb/temper*.deb"

# The packages as they are released: the same bytes twice, the same files in all three, and what others build with them. What
# make test tries of the Debian packages is tried here with more: the guard, other reasons to prove again, RPM, autopkgtest.
test-packages: deb rpm arch package-roots
	$(MAKE_ROOT) bed >/dev/null
	for kind in deb rpm arch; do packaging/build $$kind $(VERSION) varied && packaging/compare $$kind || exit 1; done
	packaging/same-files
	TEMPER_DEBS=$(CURDIR)/dist/deb $(GO) test -count=1 -timeout 60m -v -tags packages ./packaging/
	packaging/test-addon

clean:
	rm -rf bin dist
