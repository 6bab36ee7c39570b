# Virtbus: building, testing, installing.  `make` alone prints what there is.

PREFIX ?= /usr
DESTDIR ?=
PROFILE ?= dist
bindir = $(PREFIX)/bin
sharedir = $(PREFIX)/share
unitdir = $(PREFIX)/lib/systemd/system
userunitdir = $(PREFIX)/lib/systemd/user
sysusersdir = $(PREFIX)/lib/sysusers.d
tmpfilesdir = $(PREFIX)/lib/tmpfiles.d
sysconfdir ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
settings = $(DESTDIR)$(sysconfdir)/virtbus/virtbusd.toml

# Nothing is built inside the clone.
cache := $(or $(XDG_CACHE_HOME),$(or $(HOME),/root)/.cache)/virtbus
export CARGO_TARGET_DIR ?= $(cache)/target
CARGO ?= cargo
INSTALL ?= install
binary = $(CARGO_TARGET_DIR)/$(PROFILE)/virtbusd
# Where `make build` says what it built, for whoever installs it, who may be another user.
stamp = .built
cargo_profile = $(if $(filter debug,$(PROFILE)),dev,$(PROFILE))

.DEFAULT_GOAL := help
.PHONY: help build test soak lint bench demo install uninstall

help:
	@echo 'make build                      build virtbusd (PROFILE=dist; release and debug are built sooner)'
	@echo 'make test                       install what the tests need, run all of them'
	@echo 'make soak                       the long form of the campaigns: kills, floods, malformed input (an hour or more)'
	@echo 'make lint                       formatting, clippy, licences, shell scripts'
	@echo 'make demo [KEEP=1]              a guest from definition to shutdown, over a private bus'
	@echo 'make bench                      measure the daemon against yardsticks in the same run'
	@echo 'make install [DESTDIR=] [PREFIX=/usr] [BINARY=]'
	@echo '                                install what make build made, or BINARY; needs no toolchain'
	@echo 'make uninstall                  with the same DESTDIR and PREFIX'
	@echo
	@echo 'Artefacts go to $(CARGO_TARGET_DIR) (CARGO_TARGET_DIR changes it).'

build:
	tests/testbed/install-packages --build
	$(CARGO) build --locked --profile $(cargo_profile) -p virtbusd
	@echo '$(binary)' > $(stamp)

test:
	tests/testbed/run-tests

# The same tests as in `make test`, with more rounds.
soak:
	VIRTBUS_SOAK=1 tests/testbed/run-tests -p virtbus-tests --test kills --test threats --test faults

lint:
	tests/testbed/install-packages --build
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --workspace --all-features check; \
	else echo 'lint: cargo-deny is not installed, licences and advisories are not checked'; fi
	@for script in $(scripts); do bash -n "$$script" || exit 1; done
	@if command -v shellcheck >/dev/null; then shellcheck -x -P SCRIPTDIR -S warning -e SC1007 $(scripts); \
	else echo 'lint: shellcheck is not installed, scripts are only parsed'; fi

scripts = .ci/run tests/demo $(addprefix tests/testbed/,install-packages run-tests tiny-guest boot-systemd boot-vm) $(wildcard tests/e2e/tests/*.sh)

bench:
	tests/testbed/install-packages --build --test
	$(CARGO) build --locked --profile dist -p virtbusd
	$(CARGO) run --locked --profile dist --quiet -p virtbus-bench

demo:
	tests/demo $(if $(KEEP),--keep)

# --- installing ---------------------------------------------------------------------------
# source:target below DESTDIR; a source that ends in .in is filled from the names above.
files = \
	data/systemd/virtbusd.service.in:$(unitdir)/virtbusd.service \
	data/systemd/virtbusd-user.service.in:$(userunitdir)/virtbusd.service \
	data/dbus/org.libvirt.service.in:$(sharedir)/dbus-1/system-services/org.libvirt.service \
	data/dbus/org.virtbus.service.in:$(sharedir)/dbus-1/system-services/org.virtbus.service \
	data/dbus/org.libvirt-session.service.in:$(sharedir)/dbus-1/services/org.libvirt.service \
	data/dbus/org.virtbus-session.service.in:$(sharedir)/dbus-1/services/org.virtbus.service \
	data/sysusers.d/virtbus.conf:$(sysusersdir)/virtbus.conf \
	data/tmpfiles.d/virtbus.conf:$(tmpfilesdir)/virtbus.conf \
	$(foreach file,$(wildcard data/dbus/interfaces/*.xml),$(file):$(sharedir)/dbus-1/interfaces/$(notdir $(file))) \
	$(foreach page,$(wildcard data/man/*),$(page):$(sharedir)/man/man$(lastword $(subst ., ,$(page)))/$(notdir $(page))) \
	data/virtbusd.toml:$(sharedir)/doc/virtbus/examples/virtbusd.toml \
	data/completions/virtbusd.bash:$(sharedir)/bash-completion/completions/virtbusd \
	data/completions/_virtbusd:$(sharedir)/zsh/site-functions/_virtbusd \
	data/completions/virtbusd.fish:$(sharedir)/fish/vendor_completions.d/virtbusd.fish \
	$(foreach conf,$(wildcard dbus-policy/*.conf),$(conf):$(sharedir)/dbus-1/system.d/$(notdir $(conf))) \
	$(foreach policy,$(wildcard dbus-policy/*.policy),$(policy):$(sharedir)/polkit-1/actions/$(notdir $(policy))) \
	$(foreach rules,$(wildcard dbus-policy/*.rules),$(rules):$(sharedir)/polkit-1/rules.d/$(notdir $(rules))) \
	$(foreach sample,$(wildcard dbus-policy/rules/*.rules),$(sample):$(sharedir)/doc/virtbus/examples/$(notdir $(sample)))

# What is installed is what `make build` made last, and never older than the sources.
BINARY ?= $(shell cat $(stamp) 2>/dev/null)
sources = find Cargo.toml Cargo.lock service interfaces drivers -newer $(stamp) \( -name '*.rs' -o -name 'Cargo.*' \) -print
install:
	@if test -z '$(BINARY)'; then echo 'install: nothing has been built here; run "make build" first, as any user' >&2; exit 1; fi
	@if test ! -x '$(BINARY)'; then echo 'install: there is no program $(BINARY); run "make build" again' >&2; exit 1; fi
	@if test -f $(stamp) && test '$(BINARY)' = "$$(cat $(stamp))"; then \
		newer=$$($(sources) | head -n 1); \
		if test -n "$$newer"; then echo "install: $$newer has changed since the build; run \"make build\" again" >&2; exit 1; fi; \
	fi
	$(INSTALL) -D -m 755 '$(BINARY)' '$(DESTDIR)$(bindir)/virtbusd'
	@set -e; for pair in $(files); do \
		source=$${pair%%:*}; target='$(DESTDIR)'$${pair#*:}; echo "install $$target"; \
		$(INSTALL) -D -m 644 "$$source" "$$target"; \
		case $$source in *.in) sed 's|@bindir@|$(bindir)|g; s|@sharedir@|$(sharedir)|g' "$$source" > "$$target";; esac; \
	done
	@if test -e '$(settings)'; then echo 'keep $(settings)'; \
	else echo 'install $(settings)'; $(INSTALL) -D -m 644 data/virtbusd.toml '$(settings)'; fi
	@test -n '$(DESTDIR)' || echo 'Now run: systemd-sysusers && systemd-tmpfiles --create virtbus.conf && systemctl daemon-reload && systemctl reload dbus'

# Folders that have become empty go as well, but for the prefix's own (bin, lib, share).
uninstall:
	@set -e; for target in $(bindir)/virtbusd $(foreach pair,$(files),$(lastword $(subst :, ,$(pair)))); do \
		echo "rm $(DESTDIR)$$target"; rm -f "$(DESTDIR)$$target"; \
		within=$${target#$(PREFIX)/}; top=$(DESTDIR)$(PREFIX)/$${within%%/*}; folder=$${within#*/}; folder=$${folder%/*}; \
		if test -d "$$top/$$folder"; then (cd "$$top" && rmdir -p --ignore-fail-on-non-empty "$$folder"); fi; \
	done
	@if cmp -s data/virtbusd.toml '$(settings)'; then echo 'rm $(settings)'; rm -f '$(settings)'; fi
	@rmdir --ignore-fail-on-non-empty '$(dir $(settings))' 2>/dev/null || true
	@for kept in '$(DESTDIR)$(sysconfdir)/virtbus' $(if $(DESTDIR),,/var/lib/virtbus /var/log/virtbus /var/cache/virtbus /run/virtbus); do \
		if test -e "$$kept"; then echo "keep $$kept (definitions, settings, images, logs: remove it yourself if it is not wanted)"; fi; done
	@test -n '$(DESTDIR)' || { \
		echo 'Guests that run go on. Now run: systemctl disable --now virtbusd; systemctl daemon-reload; systemctl reload dbus'; \
		echo 'The user virtbus-qemu is kept, since files may belong to it (userdel virtbus-qemu).'; }
