# upload-progressd: build, try out, test, install.
#
#   make run      installs what is missing, builds, starts nginx, the daemon and
#                 a page to try on loopback; Ctrl-C stops everything
#   make test     installs what is missing, builds, runs all tests
#   make bench    installs what is missing, builds, measures beside others;
#                 BENCH=probes for one topic, see tests/bench/README.md
#   make fuzz     looks for inputs that break a parser, FUZZ_SECONDS on each
#   make          builds; needs the packages of packaging/dependencies build
#   make SAN=address,undefined test, make SAN=thread test: with sanitizers

VERSION = 0.1.0

# As many recipes at a time as there are processors, unless -j tells another
# number. Scripts that call make find no jobs of this one.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
# Goals that only build go together; others have an order ("make clean all").
BUILD_GOALS = all unit-tests fuzz-targets bench-tools
ifneq ($(filter-out $(BUILD_GOALS),$(MAKECMDGOALS)),)
ifneq ($(word 2,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif
endif
SCRIPT = env -u MAKEFLAGS -u MFLAGS

PREFIX     = /usr/local
SBINDIR    = $(PREFIX)/sbin
SNIPPETDIR = /etc/nginx/upload-progress
MANDIR     = $(PREFIX)/share/man
UNITDIR    = $(PREFIX)/lib/systemd/system
DESTDIR    =

# What the snippets and the built-in configuration name; see the README.
RUNDIR        = /run/upload-progressd
LOGDIR        = /var/log/nginx
EVENT_ADDRESS = 127.0.0.1:4514
# The header, and query argument, of the progress ID.
PROGRESS_HEADER = X-Progress-ID
# The key of upload_progress_key, if there is one. Better in the environment:
# other users can see what stands on the command line.
PROGRESS_KEY ?=
export PROGRESS_KEY

CC       = gcc
SAN      =
WERROR   =
PACKAGES = sqlite3 jansson libmnl fcgi libsystemd libseccomp
WARNINGS = -Wall -Wextra -Wshadow -Wundef -Wvla -Wformat=2 -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual \
	-Wwrite-strings -Wduplicated-cond -Wlogical-op -Wswitch-enum $(WERROR)
ifeq ($(SAN),)
BUILD    = build
# Stacks that cannot jump over their guard page; on x86 marked targets of jumps.
HARDEN   = -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection \
	$(if $(filter x86_64-% i%86-%,$(shell $(CC) -dumpmachine)),-fcf-protection)
else
BUILD    = build-$(subst $(comma),-,$(SAN))
HARDEN   = -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
endif
comma    = ,
DEFINES  = -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -DRUNDIR='"$(RUNDIR)"' \
	-DEVENT_ADDRESS='"$(EVENT_ADDRESS)"' -DPROGRESS_HEADER='"$(PROGRESS_HEADER)"'
CFLAGS   = -O2 -g
ALL_CFLAGS = -std=gnu11 $(CFLAGS) $(WARNINGS) $(HARDEN) -fPIE -pthread $(DEFINES)
LDFLAGS  = -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
LDLIBS   = $(shell pkg-config --libs $(PACKAGES))

# Each folder sees only what the layers below it offer.
INCLUDES_fcgi    = -Ifcgi
INCLUDES_store   = -Istore
INCLUDES_sidecar = -Isidecar $(patsubst %/,-I%,$(wildcard sidecar/*/)) -Ifcgi -Istore

SOURCES  = $(wildcard fcgi/*.c store/*.c sidecar/*.c sidecar/*/*.c)
MAIN     = sidecar/main.c
LIBRARIES = $(addprefix $(BUILD)/,libsidecar.a libfcgi-server.a libstore.a)
BINARY   = $(BUILD)/upload-progressd
UNIT_TESTS = $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))

# The targets of libFuzzer, or with replay.c, which any compiler builds, the
# tests that feed them the committed inputs.
FUZZ_TARGETS = $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_ENGINE  = $(BUILD)/tests/fuzz/replay.o
# How long "make fuzz" is at each target, and how many at a time.
FUZZ_SECONDS = 60
FUZZ_JOBS    = 1
FUZZ_BUILD   = build-fuzz
FUZZ_FLAGS   = CC=clang BUILD=$(FUZZ_BUILD) FUZZ_ENGINE=-fsanitize=fuzzer SAN= \
	WARNINGS='-Wall -Wextra $(WERROR)' HARDEN='-fsanitize=fuzzer-no-link,address,undefined \
	-fno-omit-frame-pointer -fno-sanitize-recover=undefined'

.PHONY: FORCE all run test unit-tests fuzz fuzz-targets fuzz-minimise valgrind lint \
	install install-snippets install-man install-service clean dependencies-run dependencies-test \
	dependencies-fuzz dependencies-lint dependencies-valgrind dependencies-bench bench bench-tools

# What the tests of faults use: a sender of log lines, faults for LD_PRELOAD.
FAULT_TOOLS = $(BUILD)/tests/faults/flood $(BUILD)/tests/faults/preload.so

.SECONDARY:
.DELETE_ON_ERROR:

all: $(BINARY)

objects = $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(MAIN),$(filter $(1)/%,$(SOURCES))))

$(BUILD)/libsidecar.a: $(call objects,sidecar)
$(BUILD)/libfcgi-server.a: $(call objects,fcgi)
$(BUILD)/libstore.a: $(call objects,store)

$(LIBRARIES):
	$(AR) rcs $@ $^

$(BINARY): $(BUILD)/sidecar/main.o $(LIBRARIES)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# A change of the flags builds anew, or a snippet's path would stay in a binary.
$(BUILD)/flags: FORCE
	@mkdir -p $(BUILD)
	@echo '$(CC) $(ALL_CFLAGS) $(LDFLAGS)' | cmp -s - $@ || \
	    echo '$(CC) $(ALL_CFLAGS) $(LDFLAGS)' > $@
FORCE:

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(INCLUDES_$(firstword $(subst /, ,$*))) -MMD -MP -c -o $@ $<

$(BUILD)/tests/unit/%: tests/unit/%.c $(LIBRARIES)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(INCLUDES_sidecar) -MMD -MP $(LDFLAGS) -o $@ $< \
		$(LIBRARIES) $(LDLIBS) -lcmocka

$(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(filter %.o,$(FUZZ_ENGINE)) $(wildcard tests/fuzz/*.h) $(LIBRARIES)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(INCLUDES_sidecar) $(LDFLAGS) -o $@ $< $(FUZZ_ENGINE) \
		$(LIBRARIES) $(LDLIBS)

# Without sanitizers: one of them within a process is enough.
$(BUILD)/tests/faults/flood: tests/faults/flood.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE $(CFLAGS) $(WARNINGS) -o $@ $<

$(BUILD)/tests/faults/preload.so: tests/faults/preload.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE $(CFLAGS) $(WARNINGS) -fPIC -shared -o $@ $<

# What the daemon is measured beside, and by.
BENCH_TOOLS = $(addprefix $(BUILD)/tests/bench/,constant libfcgi hold pace gauges) \
	$(BUILD)/tests/faults/flood
BENCH_BUILD = $(CC) -std=gnu11 -D_GNU_SOURCE $(CFLAGS) $(WARNINGS) -pthread -o $@

$(BUILD)/tests/bench/constant: $(wildcard tests/bench/peers/*.[ch])
	@mkdir -p $(@D)
	$(BENCH_BUILD) $(filter-out %/libfcgi.c,$(filter %.c,$^))

$(BUILD)/tests/bench/libfcgi: tests/bench/peers/libfcgi.c
	@mkdir -p $(@D)
	$(BENCH_BUILD) $< -lfcgi

$(BUILD)/tests/bench/gauges: tests/bench/clients/gauges.c $(LIBRARIES)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(INCLUDES_sidecar) $(LDFLAGS) -o $@ $< $(LIBRARIES) $(LDLIBS)

$(BUILD)/tests/bench/%: tests/bench/clients/%.c
	@mkdir -p $(@D)
	$(BENCH_BUILD) $<

-include $(patsubst %.c,$(BUILD)/%.d,$(SOURCES))
-include $(addsuffix .d,$(UNIT_TESTS))
-include $(BUILD)/tests/fuzz/replay.d

dependencies-run dependencies-test dependencies-fuzz dependencies-lint dependencies-valgrind dependencies-bench: dependencies-%:
	packaging/dependencies $*

# Packages are installed by one at a time.
dependencies-valgrind: | dependencies-test

# Sub-makes, so that what was just installed is seen.
run: dependencies-run
	$(MAKE) all
	$(SCRIPT) BUILD=$(BUILD) packaging/try-out

# Of the tests without sanitizers a part is run with each of them, too.
ifeq ($(SAN)$(TESTS),)
SANITIZERS = address,undefined thread
endif
OTHER_BUILDS = $(foreach san,$(SANITIZERS),build-$(subst $(comma),-,$(san)))

test: dependencies-test $(OTHER_BUILDS:build-%=test-build-%)
	$(MAKE) all unit-tests fuzz-targets
ifneq ($(OTHER_BUILDS),)
	$(MAKE) $(FUZZ_FLAGS) fuzz-targets
endif
	$(SCRIPT) BUILD=$(BUILD) SAN=$(SAN) BUILDS='$(OTHER_BUILDS)' \
		VALGRIND='$(if $(OTHER_BUILDS),$(VALGRIND))' tests/run $(TESTS)

test-build-%: dependencies-test
	$(MAKE) SAN=$(subst -,$(comma),$*) all unit-tests fuzz-targets

unit-tests: $(UNIT_TESTS) $(FAULT_TOOLS)

fuzz-targets: $(FUZZ_TARGETS)

fuzz: dependencies-fuzz
	$(MAKE) $(FUZZ_FLAGS) fuzz-targets
	BUILD=$(FUZZ_BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_JOBS=$(FUZZ_JOBS) \
		tests/fuzz/run $(TESTS)

# The committed inputs anew, with those that "make fuzz" has found.
fuzz-minimise: dependencies-fuzz
	$(MAKE) $(FUZZ_FLAGS) fuzz-targets
	BUILD=$(FUZZ_BUILD) tests/fuzz/minimise $(TESTS)

# A part of the tests with the daemon under valgrind, which is five to fifty
# times slower: those that measure how much slower have no place here.
VALGRIND_TESTS = tests/10-progress.bats tests/20-ends.bats tests/41-peers.bats tests/42-probes.bats
VALGRIND = valgrind --quiet --error-exitcode=99 --leak-check=full \
	--errors-for-leak-kinds=definite --show-leak-kinds=definite --child-silent-after-fork=yes \
	--suppressions=$(CURDIR)/tests/valgrind.supp
valgrind: dependencies-test dependencies-valgrind
	$(MAKE) all
	$(SCRIPT) BUILD=$(BUILD) SECONDS_MAX=60 DAEMON_WRAPPER='$(VALGRIND)' tests/run $(VALGRIND_TESTS)

bench-tools: $(BENCH_TOOLS)

bench: dependencies-bench
	$(MAKE) all bench-tools
	$(SCRIPT) BUILD=$(BUILD) tests/bench/run $(BENCH)

lint: dependencies-lint
	CC='$(CC)' tests/lint

install: $(BINARY) install-snippets install-man install-service
	install -D -m 0755 $(BINARY) $(DESTDIR)$(SBINDIR)/upload-progressd

# The snippets and man pages with this installation's paths and header: the only
# change made to them.
header_upper = $(shell printf %s '$(PROGRESS_HEADER)' | tr 'a-z-' 'A-Z_')
header_lower = $(shell printf %s '$(PROGRESS_HEADER)' | tr 'A-Z-' 'a-z_')
PATHS = -e 's|/run/upload-progressd|$(RUNDIR)|g' \
	-e 's|/var/log/nginx|$(LOGDIR)|g' \
	-e 's|/etc/nginx/upload-progress/|$(SNIPPETDIR)/|g' \
	-e 's|127\.0\.0\.1:4514|$(EVENT_ADDRESS)|g' \
	-e 's|X-Progress-ID|$(PROGRESS_HEADER)|g' \
	-e 's|HTTP_X_PROGRESS_ID|HTTP_$(header_upper)|g' \
	-e 's|http_x_progress_id|http_$(header_lower)|g'
# What holds the key, and how it gets there: in no argument of a process.
KEYED = '^error_log syslog:|^map .* .upload_progress_key '
KEY_EDITS = \
	'/^map .* .upload_progress_key /,/^}/s|"";|"'"$$PROGRESS_KEY"'";|' \
	"/^error_log syslog:/s|tag=upload_progress |tag=upload_progress$${PROGRESS_KEY:+_}$$PROGRESS_KEY |"
# The other topics go beside SNIPPETDIR, by the names of their folders.
TOPICS = $(filter-out examples,$(patsubst nginx-snippets/%/,%,$(wildcard nginx-snippets/*/)))
install-snippets:
	@case '$(PROGRESS_HEADER)' in '' | *[!A-Za-z0-9-]*) \
	    echo 'PROGRESS_HEADER "$(PROGRESS_HEADER)": letters, digits and "-" only' >&2; \
	    exit 1 ;; esac
	@case "$$PROGRESS_KEY" in *[!A-Za-z0-9]*) false ;; esac && \
	case "$${#PROGRESS_KEY}" in 0 | 1[2-6]) ;; *) false ;; esac || { \
	    echo 'PROGRESS_KEY: 12 to 16 letters and digits' >&2; exit 1; }
	for topic in $(TOPICS); do \
		folder=$(DESTDIR)$(dir $(SNIPPETDIR))$$topic; \
		[ $$topic != upload-progress ] || folder=$(DESTDIR)$(SNIPPETDIR); \
		install -d $$folder || exit 1; \
		for snippet in nginx-snippets/$$topic/*.conf; do \
			file=$$folder/$${snippet##*/}; \
			mode=0644; \
			[ -z "$$PROGRESS_KEY" ] || ! grep -Eq $(KEYED) $$snippet || mode=0600; \
			rm -f $$file && install -m $$mode /dev/null $$file || exit 1; \
			printf '%s\n' $(KEY_EDITS) | \
			    sed $(PATHS) -f /dev/stdin $$snippet > $$file || exit 1; \
		done; \
	done

install-man:
	install -d $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8
	for page in docs/*.[58]; do \
		sed $(PATHS) $$page \
		    > $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/} || exit 1; \
	done

install-service:
	install -d $(DESTDIR)$(UNITDIR)
	sed $(PATHS) -e 's|/usr/local/sbin|$(SBINDIR)|g' packaging/systemd/upload-progressd.service \
	    > $(DESTDIR)$(UNITDIR)/upload-progressd.service

clean:
	rm -rf build build-*
