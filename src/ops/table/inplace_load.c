/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The programs that read the table in place: loaded, pointed at the table, run.
 *
 * They need CAP_BPF and CAP_PERFMON; finding the table by name needs CAP_SYSLOG. All other rights
 * are given up before anything is loaded, that one when the table is found. Rights belong to a
 * thread, so this runs on one of its own.
 */
#include "ops/table/inplace.h"

#include <errno.h>
#include <string.h>

#ifdef HAVE_BPF
#include <bpf/bpf.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <table_walk.skel.h>
#include <table_walk_probe.skel.h>

#define LOG_BYTES (1u << 20)

/* One of the two forms of the programs; they are used through what both have. */
struct inplace {
	struct table_walk *fast;	/* one of these two, owned */
	struct table_walk_probe *probe; /* for kernels before 6.17 */
	int out_fd, walk_fd, peek_fd, probe_fd, lookup_fd;
	struct walk_table *table; /* these three are mapped from the kernel */
	uint8_t *peek_bytes;
	char *symbol_name;
	struct walk_out *slots;
	size_t slots_bytes;
};

#define CAP_BIT(cap) (UINT64_C(1) << (cap))
#define CAPS_NEEDED  (CAP_BIT(CAP_BPF) | CAP_BIT(CAP_PERFMON))

/* Keeps of the calling thread's rights those in @keep; all of CAPS_NEEDED must be there. */
static int keep_caps(uint64_t keep, struct ct_err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };
	uint64_t has;

	if (syscall(SYS_capget, &head, data) < 0)
		return ct_err_set(err, -errno, "capget: %s", strerror(errno));
	has = data[0].permitted | (uint64_t)data[1].permitted << 32;
	if ((has & CAPS_NEEDED) != CAPS_NEEDED)
		return ct_err_set(err, -EPERM,
				  "reading the table in place needs CAP_BPF and CAP_PERFMON");
	has &= keep;
	data[0] = (struct __user_cap_data_struct){ .effective = (uint32_t)has,
						   .permitted = (uint32_t)has };
	data[1] = (struct __user_cap_data_struct){ .effective = (uint32_t)(has >> 32),
						   .permitted = (uint32_t)(has >> 32) };
	if (syscall(SYS_capset, &head, data) < 0)
		return ct_err_set(err, -errno, "capset: %s", strerror(errno));
	return 0;
}

static int run(int fd, void *args, uint32_t size)
{
	struct bpf_test_run_opts o = { .sz = sizeof(o), .ctx_in = args, .ctx_size_in = size };
	int r = bpf_prog_test_run_opts(fd, &o);

	if (r < 0)
		return r;
	return o.retval ? -EFAULT : 0;
}

static uint64_t symbol_of(void *user, const char *name)
{
	struct inplace *p = user;
	struct walk_symbol s = { 0 };

	memset(p->symbol_name, 0, WALK_MAX_NAME);
	memcpy(p->symbol_name, name, strnlen(name, WALK_MAX_NAME - 1));
	return run(p->lookup_fd, &s, sizeof(s)) < 0 ? 0 : s.address;
}

static int peek_at(void *user, uint64_t address, void *out, uint32_t len)
{
	struct inplace *p = user;
	struct walk_peek a = { .address = address, .len = len };
	int r = run(p->peek_fd, &a, sizeof(a));

	if (r == 0)
		memcpy(out, p->peek_bytes, len);
	return r;
}

static bool is_chain(void *user, uint64_t array, uint32_t bucket)
{
	struct inplace *p = user;
	struct walk_probe a = { .array = array, .bucket = bucket };

	return run(p->probe_fd, &a, sizeof(a)) == 0 && a.is_it;
}

/* Points at what both forms have under the same names. */
#define USE(p, s)                                                                                  \
	do {                                                                                       \
		(p)->out_fd = (s)->maps.out.map_fd;                                                \
		(p)->walk_fd = (s)->progs.walk_entries.prog_fd;                                    \
		(p)->peek_fd = (s)->progs.peek.prog_fd;                                            \
		(p)->probe_fd = (s)->progs.probe.prog_fd;                                          \
		(p)->lookup_fd = (s)->progs.lookup.prog_fd;                                        \
		(p)->table = &(s)->bss->table;                                                     \
		(p)->peek_bytes = (s)->bss->peek_bytes;                                            \
		(p)->symbol_name = (s)->bss->symbol_name;                                          \
	} while (0)

/* What a form is asked before it is loaded. */
#define ASK(s, n_slots, text)                                                                      \
	do {                                                                                       \
		(s)->maps.out.max_entries = (n_slots);                                             \
		(s)->maps.work.max_entries = (n_slots);                                            \
		(s)->ctx.log_level = (text) ? 1 : 0;                                               \
		(s)->ctx.log_size = (text) ? LOG_BYTES : 0;                                        \
		(s)->ctx.log_buf = (uint64_t)(uintptr_t)(text);                                    \
	} while (0)

static int load_fast(struct inplace *p, unsigned n_slots, char *text)
{
	int r;

	p->fast = table_walk__open();
	if (!p->fast)
		return -ENOMEM;
	ASK(p->fast, n_slots, text);
	r = table_walk__load(p->fast);
	if (r == 0) {
		USE(p, p->fast);
		return 0;
	}
	table_walk__destroy(p->fast);
	p->fast = NULL;
	return r;
}

static int load_probe(struct inplace *p, unsigned n_slots, char *text)
{
	int r;

	p->probe = table_walk_probe__open();
	if (!p->probe)
		return -ENOMEM;
	ASK(p->probe, n_slots, text);
	r = table_walk_probe__load(p->probe);
	if (r == 0) {
		USE(p, p->probe);
		return 0;
	}
	table_walk_probe__destroy(p->probe);
	p->probe = NULL;
	return r;
}

static void keep_log(struct ct_buf *log, const char *text)
{
	if (text && text[0])
		(void)ct_buf_put(log, text, strlen(text));
}

/* Loads the faster form, or the one for older kernels. Writing the log takes the verifier longer
 * than all the rest of the loading, so it does that only for who wants to read it. */
static int load_programs(struct inplace *p, unsigned n_slots, struct ct_buf *log,
			 struct ct_err *err)
{
	auto_memory char *text = log ? calloc(1, LOG_BYTES) : NULL;
	int r;

	if (log && !text)
		return ct_err_set(err, -ENOMEM, "out of memory");
	r = load_fast(p, n_slots, text);
	if (r < 0 && r != -EPERM) {
		keep_log(log, text);
		if (text)
			text[0] = '\0';
		r = load_probe(p, n_slots, text);
	}
	if (r == 0)
		return 0;
	keep_log(log, text);
	return ct_err_set(err, r, "the kernel takes no program that reads the table in place: %s%s",
			  strerror(-r),
			  r == -ESRCH || r == -ENOENT ? " (it has no type information, or not that "
							"of the tracker)"
						      : "");
}

static int map_slots(struct inplace *p, unsigned n_slots, struct ct_err *err)
{
	void *at;

	p->slots_bytes = n_slots * sizeof(*p->slots);
	at = mmap(NULL, p->slots_bytes, PROT_READ, MAP_SHARED, p->out_fd, 0);
	if (at == MAP_FAILED)
		return ct_err_set(err, -errno, "mapping the programs' results: %s",
				  strerror(errno));
	p->slots = at;
	return 0;
}

int inplace_load(uint32_t hashsize, unsigned n_slots, struct ct_buf *log, struct inplace **out,
		 struct ct_err *err)
{
	auto_free(inplace) struct inplace *p = calloc(1, sizeof(*p));
	const struct inplace_eye eye = { p, symbol_of, peek_at, is_chain };
	int r;

	if (!p)
		return ct_err_set(err, -ENOMEM, "out of memory");
	r = keep_caps(CAPS_NEEDED | CAP_BIT(CAP_SYSLOG), err);
	if (r == 0)
		r = load_programs(p, n_slots, log, err);
	if (r == 0)
		r = map_slots(p, n_slots, err);
	if (r == 0)
		r = inplace_find(&eye, hashsize, p->table, err);
	if (r == 0)
		r = keep_caps(CAPS_NEEDED, err);
	if (r < 0)
		return r;
	*out = p;
	p = NULL;
	return 0;
}

void inplace_free(struct inplace *p)
{
	if (!p)
		return;
	if (p->slots)
		(void)munmap(p->slots, p->slots_bytes);
	table_walk__destroy(p->fast);
	table_walk_probe__destroy(p->probe);
	free(p);
}

int inplace_walk(struct inplace *p, struct walk_args *args)
{
	return run(p->walk_fd, args, sizeof(*args));
}

const struct walk_entry *inplace_entries(const struct inplace *p, unsigned slot)
{
	return p->slots[slot].entry;
}

#else

int inplace_load(uint32_t hashsize, unsigned n_slots, struct ct_buf *log, struct inplace **out,
		 struct ct_err *err)
{
	(void)hashsize, (void)n_slots, (void)log, (void)out;
	return ct_err_set(err, -ENOSYS,
			  "this conntune was built without what reads the table in place (libbpf, "
			  "clang, bpftool)");
}

void inplace_free(struct inplace *p)
{
	(void)p;
}

int inplace_walk(struct inplace *p, struct walk_args *args)
{
	(void)p, (void)args;
	return -ENOSYS;
}

const struct walk_entry *inplace_entries(const struct inplace *p, unsigned slot)
{
	(void)p, (void)slot;
	return NULL;
}

#endif
