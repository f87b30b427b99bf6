# bnnlua: `make help` lists the targets.
#
# Variables:  CC=clang             another compiler (tested: gcc 12, clang 14)
#             REAL=double          bnn_real is double instead of float
#             SAN=address,undefined  sanitizers
#             WERROR=1             warnings are errors (.ci/run)
#             CFLAGS=  LDFLAGS=    added at the end of the command lines
#             BUILD=dir            where everything is made; each variant has a folder of its own
#             PREFIX=  DESTDIR=    where `make install` puts it
#             ARGS=                what `make run` and `make bench` pass on
#             MODULE=1             position-independent code, for bnn.so (`make module` says so)
#             V=1                  show the commands
#
# Flags: without -fno-math-errno the hot loops do not vectorise; without -fno-trapping-math gcc keeps
# selections that let NaN through as branches (measured: sampling on AVX2 4.05 ns against 1.77); -std=gnu11, as c11 turns FMA
# contraction off; never -ffast-math, as NaN must be seen; never -march=native, as one binary
# serves every x86-64: the files of the rooms below are compiled once for each instruction set
# and runtime/kernels/isa.c picks one of the copies at run time.

VERSION := 0.1.0
REAL ?= float
PREFIX ?= /usr/local
ARGS ?=

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
Q := $(if $(V),,@)

ifeq ($(origin CC),default)
  CC := $(if $(shell command -v gcc),gcc,$(if $(shell command -v cc),cc,gcc))
endif
ifeq ($(filter $(REAL),float double),)
  $(error REAL is float or double, not '$(REAL)')
endif

# ---- the object folder: build/ for the plain build, build/<variant>/ for the others ----
comma := ,
space := $(subst ,, )
san_name := $(if $(findstring address,$(SAN)),asan,$(subst $(comma),-,$(SAN)))
variant := $(strip $(filter-out gcc cc,$(notdir $(lastword $(CC)))) $(san_name) $(filter double,$(REAL)) \
  $(if $(MODULE),module))
ifeq ($(strip $(BUILD)),)
  BUILD := build$(if $(variant),/$(subst $(space),-,$(variant)))
endif
BNNLUA := $(BUILD)/bnnlua
export BNNLUA_RUNS ?= # what is run from here records nothing, unless asked to
LIB := $(BUILD)/libbnn.a

# ---- what the machine has (written by configure.sh, once) ----
# Targets that build include the answers; those that also run install what is missing first.
configure := scripts/build/configure.sh
goals := $(or $(MAKECMDGOALS),all)
plain_goals := install-headers help clean deps deps-dev format format-check lint $(if $(wildcard $(LIB)),,layers)
test_goals := test test-long test-programs
# Not under -n, whose letter is in the first word of MAKEFLAGS.
may_install := $(strip $(if $(findstring n,$(filter-out -%,$(firstword $(MAKEFLAGS)))),,\
  $(filter run test test-long bench burst goldens,$(goals))))
# In the name: another CC in the same folder asks again.
config := $(BUILD)/config-$(subst /,_,$(subst $(space),_,$(CC))).mk
test_config := $(config:.mk=-tests.mk)
ask = CC='$(CC)' SAN='$(SAN)' $(configure)
ifneq ($(filter-out $(plain_goals),$(goals)),)
  include $(config)
  ifneq ($(filter $(test_goals) $(BUILD)/tests/%,$(goals)),)
    include $(test_config)
  endif
endif

$(config) $(test_config): $(configure)
	@mkdir -p $(@D)
	@$(ask) $(if $(may_install),--install) $(if $(filter %-tests.mk,$@),tests,build) $@
$(test_config): $(config) # one after the other: asking may install

# ---- flags ----
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
  -Wold-style-definition -Wredundant-decls -Wnested-externs -Wvla -Wpointer-arith -Wcast-align \
  -Wwrite-strings -Wundef -Wformat=2 -Wimplicit-fallthrough $(CC_WARN) $(if $(WERROR),-Werror)
OPT := $(if $(SAN),-O1 -fno-omit-frame-pointer,-O3) -g -fno-math-errno -fno-trapping-math
SAN_FLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all)
DEFS := $(if $(filter double,$(REAL)),-DBNN_REAL_DOUBLE=1) $(if $(X86_64),-DBNN_HAVE_X86_ISAS=1)
MODULE_FLAGS := $(if $(MODULE),-fPIC -fvisibility=hidden)
COMPILE := $(CC) -std=gnu11 $(OPT) $(MODULE_FLAGS) $(WARN) -pthread $(SAN_FLAGS) $(DEFS) -MMD -MP
LINK := $(CC) $(OPT) -pthread $(SAN_FLAGS)

RUNTIME_FLAGS := -Iruntime $(BLAS_CFLAGS) $(ZLIB_CFLAGS) $(CURL_CFLAGS) $(CRYPTO_CFLAGS) \
  $(ZIP_CFLAGS) $(PNG_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) $(PQ_CFLAGS)
RUNTIME_LIBS := $(CRYPTO_LIBS) $(ZIP_LIBS) $(PNG_LIBS) $(JANSSON_LIBS) $(SQLITE_LIBS) \
  $(ZLIB_LIBS) \
  -ldl -lm -lpthread
BINDINGS_FLAGS := -Iruntime $(LUA_CFLAGS) $(EDIT_CFLAGS) $(JANSSON_CFLAGS)
BINDINGS_LIBS := $(LUA_LIBS) $(EDIT_LIBS) -ldl
TESTS_FLAGS := -Iruntime -Itests/c $(ZIP_CFLAGS) $(PNG_CFLAGS) $(JANSSON_CFLAGS) $(CHECK_CFLAGS)

# No kernel passes a vector to a function that is not inlined, so gcc's note on their ABI is noise.
ISAS := baseline $(if $(X86_64),avx2 avx512)
ISA_baseline := -Wno-psabi
ISA_avx2 := -Wno-psabi -mavx2 -mfma
ISA_avx512 := -Wno-psabi -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma \
  -mprefer-vector-width=512

# ---- files ----
# The rooms whose files are compiled once for each instruction set, but for those that pick one.
isa_rooms := runtime/ops runtime/densities runtime/families runtime/rules runtime/fused runtime/noise runtime/vec
pick_an_isa := $(addprefix runtime/,ops/op.c densities/density.c families/family.c families/layout.c rules/rule.c fused/fused.c)
kernel_c := $(filter-out $(pick_an_isa),$(sort $(shell find $(isa_rooms) -name '*.c')))
runtime_c := $(filter-out $(kernel_c),$(sort $(shell find runtime -name '*.c')))
bindings_c := $(sort $(shell find bindings -name '*.c'))
program_c := $(filter-out bindings/module.c,$(bindings_c))
module_c := $(filter-out bindings/main.c bindings/command/%,$(bindings_c))
# What is compiled in: the library, the tools, and the guides that help() shows.
guides := $(filter-out scripts/help/README.md,$(sort $(wildcard scripts/help/*.md)))
scripts := $(sort $(shell find scripts -name '*.lua' 2>/dev/null)) $(guides)

lib_o := $(runtime_c:%.c=$(BUILD)/%.o) \
  $(foreach isa,$(ISAS),$(kernel_c:%.c=$(BUILD)/%.$(isa).o))
program_o := $(program_c:%.c=$(BUILD)/%.o) $(BUILD)/bind_scripts.o
module_o := $(module_c:%.c=$(BUILD)/%.o) $(BUILD)/bind_scripts.o
MODULE_SO := $(BUILD)/bnn.so

support_o := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/c/support*.c)))
check_suites := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/c/*/test_*.c)))
long_check_suites := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/long/test_*.c)))
BENCH := $(BUILD)/tests/bench/bnnlua
benches := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/bench/bench_*.c)))
# Those of the shell first: they are the longest and wait for the clock, and the short ones fill up the end.
quick_suites := $(sort $(wildcard tests/shell/*_test.sh)) $(check_suites) \
  $(sort $(wildcard tests/lua/*/test_*.lua))
long_suites := $(long_check_suites) \
  $(sort $(wildcard tests/long/test_*.lua) $(wildcard tests/long/*_test.sh))

# ---- targets ----
.PHONY: all run test test-long test-programs bench burst goldens module install install-headers install-module format format-check lint layers deps \
  deps-dev clean help FORCE

all: $(BNNLUA) ## build build/bnnlua and build/libbnn.a (the default)

run: $(BNNLUA) ## build, then run experiments/mnist.lua with ARGS
	$(BNNLUA) experiments/mnist.lua $(ARGS)

run_tests = CC='$(CC)' BUILD='$(BUILD)' SAN='$(SAN)' REAL='$(REAL)' tests/run_tests.sh

test: $(BNNLUA) $(check_suites) ## run the C, Lua and shell tests and the layer check
	@$(run_tests) $(quick_suites) tests/layers.sh

# Data that only these tests need; where they cannot be had, what needs them is skipped and says so.
test-long: $(BNNLUA) $(check_suites) $(long_check_suites) ## the same and those of tests/long
	@$(ask) --install packages long || echo 'test-long: going on without these packages' >&2
	@$(run_tests) $(quick_suites) tests/layers.sh $(long_suites)

test-programs: $(BNNLUA) $(check_suites) $(long_check_suites) $(benches) $(BENCH) ## build them only

bench: $(BNNLUA) $(BENCH) ## measure the speed (ARGS=--help: what else it can)
	@$(BENCH) tests/bench/bench.lua --bnnlua=$(BNNLUA) $(ARGS)

burst: $(BNNLUA) $(BENCH) ## the time of steps beside another build's: OLD=its bnnlua, ARGS=--help
	@$(BENCH) tests/bench/burst.lua --old='$(OLD)' --new=$(BNNLUA) $(ARGS)

goldens: $(BNNLUA) ## hashes of what short runs print; OLD=a built tree: what differs from it
	@tests/bench/goldens.sh . $(OLD)

# Lua's symbols are the host's, and nothing of ours but luaopen_bnn is seen.  Never unloaded with a Lua
# state, as signal handlers may stay behind.
ifdef MODULE
module: $(MODULE_SO)
else
module: ## build build/module/bnn.so, require "bnn" for the stock lua5.4
	@$(MAKE) --no-print-directory MODULE=1 BUILD='$(BUILD)/module' module
endif

MODULE_DIR ?= $(PREFIX)/lib/lua/5.4
install-module: module ## install bnn.so in MODULE_DIR, PREFIX/lib/lua/5.4, where package.cpath finds it
	install -D -m 755 -t '$(DESTDIR)$(MODULE_DIR)' $(BUILD)/module/bnn.so

c_files = $(shell find runtime bindings scripts tests -name '*.[ch]' | LC_ALL=C sort)
need = @command -v $(1) >/dev/null || { echo 'there is no $(1) here: make deps-dev' >&2; exit 1; }

format: ## rewrite the C files as .clang-format says
	$(call need,clang-format)
	clang-format -i $(c_files)

format-check: ## fail when `make format` would change something
	$(call need,clang-format)
	@clang-format --dry-run -Werror $(c_files)

lint: ## luacheck on the Lua files
	$(call need,luacheck)
	luacheck --quiet $(wildcard scripts experiments tests/lua tests/long tests/bench)

layers: $(wildcard $(LIB)) ## check that nothing looks up: experiments, scripts, bindings, runtime
	@tests/layers.sh '$(LIB)'

install: all install-headers ## install below PREFIX (and DESTDIR)
	install -d $(addprefix '$(DESTDIR)$(PREFIX)'/,bin lib share/bnnlua/experiments share/doc/bnnlua)
	install -m 755 $(BNNLUA) '$(DESTDIR)$(PREFIX)/bin'
	install -m 644 $(LIB) '$(DESTDIR)$(PREFIX)/lib'
	$(if $(wildcard experiments/*.lua),install -m 644 $(wildcard experiments/*.lua) \
	  '$(DESTDIR)$(PREFIX)/share/bnnlua/experiments')
	$(if $(wildcard experiments/methods/*.lua),install -D -m 644 -t \
	  '$(DESTDIR)$(PREFIX)/share/bnnlua/experiments/methods' $(wildcard experiments/methods/*.lua))
	install -m 644 $(wildcard LICENSE README.md) '$(DESTDIR)$(PREFIX)/share/doc/bnnlua'
	install -D -m 644 -t '$(DESTDIR)$(PREFIX)/share/doc/bnnlua/scripts/help' $(guides)

# What bnn.h includes, in the rooms where it is.
public_headers = $(filter runtime/%,$(shell cd runtime && $(CC) -MM bnn.h | tr -d '\\' | tr ' ' '\n' | \
  sed -n 's,[^/]*/\.\./,,g; s,^[a-z].*\.\(h\|def\)$$,runtime/&,p'))
install-headers: ## install the headers only
	$(Q)for header in $(sort $(public_headers:runtime/%=%)); do \
	  install -D -m 644 "runtime/$$header" '$(DESTDIR)$(PREFIX)/include/bnnlua/'"$$header" || exit 1; \
	done

deps: ## install the packages that building, running and testing need (apt)
	@$(ask) --install packages build optional tests
	@rm -f $(config) $(test_config)

deps-dev: ## install what only developers need: clang, clang-format, luacheck, valgrind
	@$(ask) --install packages developers

# A BUILD given by hand is removed only when make has made it.
clean: ## remove the object folder (of every variant, when given none)
	@if [ '$(BUILD)' = build ] || ls '$(BUILD)'/config-*.mk >/dev/null 2>&1; then \
	  rm -rf '$(BUILD)'; fi

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' Makefile
	@echo; sed -n '/^# Variables/,/^# *V=1/s/^# //p' Makefile

# ---- rules ----
# A stamp holds one line and is rewritten only when that line changes: what depends on it is made
# again when flags change, a file comes or goes, or the commit is another.
$(BUILD):
	@mkdir -p $@
stamp = $(file >$@.new,$(1))@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(BUILD)/flags.stamp: FORCE | $(BUILD)
	$(call stamp,$(COMPILE) $(CFLAGS) $(RUNTIME_FLAGS) $(BINDINGS_FLAGS) $(LINK) $(LDFLAGS) \
	  $(RUNTIME_LIBS) $(BINDINGS_LIBS) $(foreach isa,$(ISAS),$(ISA_$(isa))))
$(BUILD)/lib.stamp: FORCE | $(BUILD)
	$(call stamp,$(lib_o))
$(BUILD)/program.stamp: FORCE | $(BUILD)
	$(call stamp,$(program_o) $(if $(MODULE),$(module_o)))
$(BUILD)/tests.stamp: FORCE | $(BUILD)
	$(call stamp,$(CHECK_CFLAGS) $(CHECK_LIBS) $(support_o))
$(BUILD)/scripts.stamp: FORCE | $(BUILD)
	$(call stamp,$(scripts))
# Where git will not answer (a tarball, root in another's clone) the last answer stands.
$(BUILD)/commit.stamp: FORCE | $(BUILD)
	@test -e .git && git describe --always --dirty >$@.new 2>/dev/null || \
	  cat $@ >$@.new 2>/dev/null || echo unknown >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

say = @printf '  %-4s %s\n' $(1) '$(2)'

# The rooms that draw the same numbers and glyphs on every processor, where a * b + c must round twice
# (tests/shell/flags_test.sh sees to it).
exact_rooms := runtime/tensor runtime/noise runtime/images
$(filter $(addprefix $(BUILD)/,$(addsuffix /%,$(exact_rooms))),$(lib_o)): FILE_FLAGS := -ffp-contract=off
# Only main_help.c knows version and commit, so that a new commit compiles one file.
$(BUILD)/bindings/command/main_help.o: $(BUILD)/commit.stamp
$(BUILD)/bindings/command/main_help.o: FILE_FLAGS = -DBNN_VERSION='"$(VERSION)"' \
  -DBNN_COMMIT='"$(shell cat $(BUILD)/commit.stamp)"'

$(BUILD)/runtime/%.o: runtime/%.c $(BUILD)/flags.stamp
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(RUNTIME_FLAGS) $(FILE_FLAGS) $(CFLAGS) -c -o $@ $<

define isa_rule
$$(BUILD)/runtime/%.$(1).o: runtime/%.c $$(BUILD)/flags.stamp
	$$(call say,CC,$$< $(1))
	@mkdir -p $$(@D)
	$$(Q)$$(COMPILE) -DBNN_ISA=$(1) $$(ISA_$(1)) $$(RUNTIME_FLAGS) $$(FILE_FLAGS) $$(CFLAGS) \
	  -c -o $$@ $$<
endef
$(foreach isa,$(ISAS),$(eval $(call isa_rule,$(isa))))

$(BUILD)/bindings/%.o: bindings/%.c $(BUILD)/flags.stamp
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(BINDINGS_FLAGS) $(FILE_FLAGS) $(CFLAGS) -c -o $@ $<

# Compiled by the Lua that the program is linked with, where that runs here.
compiled := $(BUILD)/compiled
compile_scripts := $(BUILD)/compile_scripts
$(compile_scripts): scripts/build/compile_scripts.c $(BUILD)/flags.stamp
	$(call say,CC,$<)
	$(Q)$(COMPILE) $(LUA_CFLAGS) $(CFLAGS) -o $@ $< $(LDFLAGS) $(LUA_LIBS)

$(BUILD)/bind_scripts.c: $(scripts) $(BUILD)/scripts.stamp scripts/build/embed.sh $(if $(RUNS),$(compile_scripts))
	$(call say,GEN,$@)
	$(Q)rm -rf $(compiled)
	$(if $(RUNS),$(Q)mkdir -p $(sort $(dir $(scripts:%=$(compiled)/%))) && \
	  $(compile_scripts) $(compiled) $(filter %.lua,$(scripts)))
	$(Q)scripts/build/embed.sh $(if $(RUNS),--compiled $(compiled)) $(scripts) >$@

$(BUILD)/bind_scripts.o: $(BUILD)/bind_scripts.c $(BUILD)/flags.stamp
	$(call say,CC,$<)
	$(Q)$(COMPILE) -Ibindings/base $(CFLAGS) -c -o $@ $<

$(LIB): $(lib_o) $(BUILD)/lib.stamp
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $(lib_o)

# -E: Lua modules in C find lua_* in the one liblua that the program is linked with.
$(BNNLUA): $(program_o) $(LIB) $(BUILD)/program.stamp
	$(call say,LD,$@)
	$(Q)$(LINK) $(LDFLAGS) -Wl,-E -o $@ $(program_o) $(LIB) $(BINDINGS_LIBS) $(RUNTIME_LIBS)

$(MODULE_SO): $(module_o) $(LIB) $(BUILD)/program.stamp
	$(call say,LD,$@)
	$(Q)$(LINK) $(LDFLAGS) -shared -Wl,-z,nodelete -o $@ $(module_o) $(LIB) -ldl $(RUNTIME_LIBS)

$(addsuffix .o,$(check_suites) $(long_check_suites)) $(support_o): $(BUILD)/tests.stamp
$(BUILD)/tests/%.o: tests/%.c $(BUILD)/flags.stamp
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(TESTS_FLAGS) $(FILE_FLAGS) $(CFLAGS) -c -o $@ $<

$(check_suites) $(long_check_suites): %: %.o $(support_o) $(LIB)
	$(call say,LD,$@)
	$(Q)$(LINK) $(LDFLAGS) -o $@ $< $(support_o) $(LIB) $(CHECK_LIBS) $(RUNTIME_LIBS)

$(benches): %: %.o $(LIB)
	$(call say,LD,$@)
	$(Q)$(LINK) $(LDFLAGS) -o $@ $< $(LIB) $(RUNTIME_LIBS)

# bnnlua with a stopwatch at the runtime's seams.
stopwatch_o := $(BUILD)/tests/bench/stopwatch.o
wraps = $(shell grep -o '__real_bnn_[a-z_]*' tests/bench/stopwatch.c | sed 's/__real_/-Wl,--wrap=/' | sort -u)
$(stopwatch_o): FILE_FLAGS := $(LUA_CFLAGS)
$(BENCH): $(program_o) $(stopwatch_o) $(LIB) $(BUILD)/program.stamp
	$(call say,LD,$@)
	$(Q)$(LINK) $(LDFLAGS) -Wl,-E $(wraps) -o $@ $(program_o) $(stopwatch_o) $(LIB) \
	  $(BINDINGS_LIBS) $(RUNTIME_LIBS)

.SECONDARY: # keep the tests' objects
-include $(patsubst %.o,%.d,$(lib_o) $(program_o) $(module_o) $(support_o)) \
  $(addsuffix .d,$(check_suites) $(long_check_suites) $(benches)) $(stopwatch_o:.o=.d)
