# SPDX-License-Identifier: BSD-2-Clause
#
# A thin face over meson for people who arrive. `meson setup build && ninja -C build` works too.
.POSIX:
BUILD = build
prefix = /usr/local
DESTDIR =
FUZZ_SECONDS = 60
LAB =

all:
	@tools/install-packages build
	@tools/build $(BUILD)

help:
	@echo 'make            build (missing packages are installed when root, else named)'
	@echo 'make doctor     build, then diagnose this machine'
	@echo 'make test       build, then run every test; as root also those on the real kernel'
	@echo 'make test-slow  the tests that take minutes'
	@echo 'make bench      measure; one line of key=value each'
	@echo 'make lab        a server that runs out of tracking, in network namespaces, and its diagnosis;'
	@echo '                LAB="--yes-change-max" makes the kernel drop for real'
	@echo 'make tour       the whole story, from the first drop to the way back; asks before it lowers the'
	@echo '                limit of this machine for a minute (LAB="--yes-change-max": does not ask)'
	@echo 'make fuzz       run the fuzzers, FUZZ_SECONDS=$(FUZZ_SECONDS) each'
	@echo 'make install    install below DESTDIR=$(DESTDIR) prefix=$(prefix)'
	@echo 'make uninstall  remove what install put there'
	@echo 'make clean      remove the build folders'

doctor:
	@tools/install-packages build
	@tools/build -q $(BUILD)
	@tools/doctor $(BUILD)

test:
	@tools/install-packages build test lab
	@tools/test $(BUILD)

test-slow:
	@tools/install-packages build test slow
	@tools/test --slow $(BUILD)

bench:
	@tools/install-packages build test bench
	@tools/build -q $(BUILD)
	@tools/bench $(BUILD)

lab:
	@tools/install-packages build test lab
	@tools/build -q $(BUILD)
	@CONNTUNE=$(BUILD)/src/app/conntune tools/lab/run $(LAB)

tour:
	@tools/install-packages build test lab
	@tools/build -q $(BUILD)
	@CONNTUNE=$(BUILD)/src/app/conntune tools/lab/tour $(LAB)

fuzz:
	@tools/install-packages build lint
	@tools/fuzz $(FUZZ_SECONDS)

install: all
	@meson configure $(BUILD) -Dprefix=$(prefix)
	@DESTDIR='$(DESTDIR)' meson install -C $(BUILD)
	@tools/build -q $(BUILD)
	@[ -n '$(DESTDIR)' ] || [ "$$(id -u)" != 0 ] || ldconfig

uninstall:
	@ninja -C $(BUILD) uninstall

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-fuzz

.PHONY: all help doctor test test-slow bench lab tour fuzz install uninstall clean
