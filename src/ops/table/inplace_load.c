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
#include <table_groups.skel.h>
#include <table_groups_old.skel.h>
#include <table_groups_probe.skel.h>
#include <table_walk.skel.h>
#include <table_walk_old.skel.h>
#include <table_walk_probe.skel.h>

#include "ops/table/kallsyms.h"

#define LOG_BYTES (1u << 20)

struct form;

/* One of the forms of the programs; they are used through what all of them have. */
struct inplace {
	const struct form *form;
	void *skeleton; /* owned; of the form's type */
	int out_fd, walk_fd, peek_fd, probe_fd;
	int lookup_fd;		  /* negative where there is no such program: symbols then */
	int timeouts_fd;	  /* of programs that count; else negative */
	struct walk_table *table; /* these three are mapped from the kernel */
	uint8_t *peek_bytes;
	char *symbol_name;
	void *slots; /* mapped: walk_out or walk_groups */
	size_t slots_bytes;
	struct walk_timeouts *timeouts; /* mapped; may be null */
	struct kallsyms_name symbols[INPLACE_N_SYMBOLS];
};

/* What the programs are loaded by. */
struct form {
	/* Fills @p. @text is room for the verifier's log, null for none. */
	int (*load)(struct inplace *p, const struct inplace_ask *ask, char *text);
	void (*free)(void *skeleton);
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

	for (size_t i = 0; p->lookup_fd < 0 && i < INPLACE_N_SYMBOLS; i++)
		if (strcmp(p->symbols[i].name, name) == 0)
			return p->symbols[i].address;
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

/* What programs that count have beyond the others. */
#define ASK_BY(s, ask)	    ((void)((s)->rodata->by = *(ask)->by))
#define TAKE_TIMEOUTS(s, p) ((p)->timeouts_fd = (s)->maps.timeouts.map_fd)
#define ASK_NOTHING(s, ask) ((void)(s))
#define TAKE_NOTHING(s, p)  ((void)(s))

/* Forms differ in type only: what is done with each is written once. */
#define FORM(name, ask_more, take_more)                                                            \
	static int load_##name(struct inplace *p, const struct inplace_ask *ask, char *text)       \
	{                                                                                          \
		struct name *s = name##__open();                                                   \
		int r;                                                                             \
                                                                                                   \
		if (!s)                                                                            \
			return -ENOMEM;                                                            \
		s->maps.out.max_entries = ask->n_slots;                                            \
		s->maps.work.max_entries = ask->n_slots;                                           \
		s->ctx.log_level = text ? 1 : 0;                                                   \
		s->ctx.log_size = text ? LOG_BYTES : 0;                                            \
		s->ctx.log_buf = (uint64_t)(uintptr_t)text;                                        \
		ask_more(s, ask);                                                                  \
		r = name##__load(s);                                                               \
		if (r < 0) {                                                                       \
			name##__destroy(s);                                                        \
			return r;                                                                  \
		}                                                                                  \
		p->skeleton = s;                                                                   \
		p->out_fd = s->maps.out.map_fd;                                                    \
		p->walk_fd = s->progs.walk.prog_fd;                                                \
		p->peek_fd = s->progs.peek.prog_fd;                                                \
		p->probe_fd = s->progs.probe.prog_fd;                                              \
		p->lookup_fd = s->progs.lookup.prog_fd;                                            \
		p->table = &s->bss->table;                                                         \
		p->peek_bytes = s->bss->peek_bytes;                                                \
		p->symbol_name = s->bss->symbol_name;                                              \
		take_more(s, p);                                                                   \
		return 0;                                                                          \
	}                                                                                          \
	static void free_##name(void *skeleton)                                                    \
	{                                                                                          \
		name##__destroy(skeleton);                                                         \
	}

/* The same of a form that libbpf loads, whose skeleton is of another kind. */
#define TAKE_OLD_TIMEOUTS(s, p) ((p)->timeouts_fd = bpf_map__fd((s)->maps.timeouts))
#define OLD_FORM(name, ask_more, take_more)                                                        \
	static int load_##name(struct inplace *p, const struct inplace_ask *ask, char *text)       \
	{                                                                                          \
		const struct bpf_object_open_opts o = { .sz = sizeof(o),                           \
							.kernel_log_buf = text,                    \
							.kernel_log_size = text ? LOG_BYTES : 0,   \
							.kernel_log_level = text ? 1 : 0 };        \
		struct name *s;                                                                    \
		int r;                                                                             \
                                                                                                   \
		(void)libbpf_set_print(NULL);                                                      \
		s = name##__open_opts(&o);                                                         \
		if (!s)                                                                            \
			return -errno;                                                             \
		(void)bpf_map__set_max_entries(s->maps.out, ask->n_slots);                         \
		(void)bpf_map__set_max_entries(s->maps.work, ask->n_slots);                        \
		ask_more(s, ask);                                                                  \
		r = name##__load(s);                                                               \
		if (r < 0) {                                                                       \
			name##__destroy(s);                                                        \
			return r;                                                                  \
		}                                                                                  \
		p->skeleton = s;                                                                   \
		p->out_fd = bpf_map__fd(s->maps.out);                                              \
		p->walk_fd = bpf_program__fd(s->progs.walk);                                       \
		p->peek_fd = bpf_program__fd(s->progs.peek);                                       \
		p->probe_fd = bpf_program__fd(s->progs.probe);                                     \
		p->lookup_fd = -1;                                                                 \
		p->table = &s->bss->table;                                                         \
		p->peek_bytes = s->bss->peek_bytes;                                                \
		take_more(s, p);                                                                   \
		/* What cannot be read is not found. */                                            \
		(void)kallsyms_read(ask->host, p->symbols, INPLACE_N_SYMBOLS);                     \
		return 0;                                                                          \
	}                                                                                          \
	static void free_##name(void *skeleton)                                                    \
	{                                                                                          \
		name##__destroy(skeleton);                                                         \
	}

FORM(table_walk, ASK_NOTHING, TAKE_NOTHING)
FORM(table_walk_probe, ASK_NOTHING, TAKE_NOTHING)
FORM(table_groups, ASK_BY, TAKE_TIMEOUTS)
FORM(table_groups_probe, ASK_BY, TAKE_TIMEOUTS)

OLD_FORM(table_walk_old, ASK_NOTHING, TAKE_NOTHING)
OLD_FORM(table_groups_old, ASK_BY, TAKE_OLD_TIMEOUTS)

/* For Linux 6.17, 5.17 and 5.14: the fastest first. */
#define N_FORMS 3
static const struct form forms[][N_FORMS] = {
	{ { load_table_walk, free_table_walk },
	  { load_table_walk_probe, free_table_walk_probe },
	  { load_table_walk_old, free_table_walk_old } },
	{ { load_table_groups, free_table_groups },
	  { load_table_groups_probe, free_table_groups_probe },
	  { load_table_groups_old, free_table_groups_old } },
};

static unsigned first_form(enum table_via via)
{
	return via == TABLE_VIA_BPF_OLD ? 2 : via == TABLE_VIA_BPF_PROBE ? 1 : 0;
}

/* Who did not ask for it is spared the oldest: resolving types in user space takes half a second,
 * in which netlink reads 200,000 entries. */
static unsigned n_forms(enum table_via via)
{
	return via == TABLE_VIA_AUTO ? N_FORMS - 1 : N_FORMS;
}

/* Loads a form once more, for what the kernel's verifier says. */
static int load_and_tell(struct inplace *p, const struct form *form, const struct inplace_ask *ask)
{
	auto_memory char *text = calloc(1, LOG_BYTES);
	int r;

	if (!text)
		return -ENOMEM;
	r = form->load(p, ask, text);
	text[LOG_BYTES - 1] = '\0';
	inplace_hide_addresses(text);
	(void)ct_buf_put(ask->log, text, strlen(text));
	return r;
}

/* Loads the fastest form that the kernel takes. Writing the log takes the verifier longer than all
 * the rest of the loading, so it does that only for who wants to read why something failed. */
static int load_programs(struct inplace *p, const struct inplace_ask *ask, struct ct_err *err)
{
	const struct form *form = forms[ask->by ? 1 : 0];
	int r = -ENOTSUP;

	for (unsigned i = first_form(ask->via); i < n_forms(ask->via) && r < 0 && r != -EPERM;
	     i++) {
		p->form = &form[i];
		r = form[i].load(p, ask, NULL);
		if (r < 0 && ask->log)
			r = load_and_tell(p, &form[i], ask);
	}
	if (r == 0)
		return 0;
	return ct_err_set(err, r, "the kernel takes no program that reads the table in place: %s%s",
			  strerror(-r),
			  r == -ESRCH || r == -ENOENT ? " (it has no type information, or not that "
							"of the tracker)"
						      : "");
}

static int map_one(int fd, size_t size, int protection, void **out, struct ct_err *err)
{
	void *at = mmap(NULL, size, protection, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return ct_err_set(err, -errno, "mapping the programs' results: %s",
				  strerror(errno));
	*out = at;
	return 0;
}

static int map_all(struct inplace *p, const struct inplace_ask *ask, struct ct_err *err)
{
	size_t slot = ask->by ? sizeof(struct walk_groups) : sizeof(struct walk_out);
	void *timeouts = NULL;
	int r;

	p->slots_bytes = ask->n_slots * slot;
	r = map_one(p->out_fd, p->slots_bytes, ask->by ? PROT_READ | PROT_WRITE : PROT_READ,
		    &p->slots, err);
	if (r < 0 || !ask->by)
		return r;
	r = map_one(p->timeouts_fd, sizeof(*p->timeouts), PROT_READ | PROT_WRITE, &timeouts, err);
	p->timeouts = timeouts;
	return r;
}

int inplace_load(const struct inplace_ask *ask, struct inplace **out, struct ct_err *err)
{
	auto_free(inplace) struct inplace *p = calloc(1, sizeof(*p));
	const struct inplace_eye eye = { p, symbol_of, peek_at, is_chain };
	int r;

	if (!p)
		return ct_err_set(err, -ENOMEM, "out of memory");
	p->timeouts_fd = -1;
	for (size_t i = 0; i < INPLACE_N_SYMBOLS; i++)
		p->symbols[i].name = inplace_symbols[i];
	r = keep_caps(CAPS_NEEDED | CAP_BIT(CAP_SYSLOG), err);
	if (r == 0)
		r = load_programs(p, ask, err);
	if (r == 0)
		r = map_all(p, ask, err);
	if (r == 0)
		r = inplace_find(&eye, ask->hashsize, p->table, err);
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
	if (p->timeouts)
		(void)munmap(p->timeouts, sizeof(*p->timeouts));
	if (p->skeleton)
		p->form->free(p->skeleton);
	free(p);
}

int inplace_find_again(struct inplace *p, uint32_t hashsize, struct ct_err *err)
{
	const struct inplace_eye eye = { p, symbol_of, peek_at, is_chain };

	return inplace_find_moved(&eye, hashsize, p->table, err);
}

int inplace_walk(struct inplace *p, struct walk_args *args)
{
	return run(p->walk_fd, args, sizeof(*args));
}

const struct walk_entry *inplace_entries(const struct inplace *p, unsigned slot)
{
	return ((const struct walk_out *)p->slots)[slot].entry;
}

struct walk_groups *inplace_groups(const struct inplace *p, unsigned slot)
{
	return (struct walk_groups *)p->slots + slot;
}

struct walk_timeouts *inplace_timeouts(const struct inplace *p)
{
	return p->timeouts;
}

#else

int inplace_load(const struct inplace_ask *ask, struct inplace **out, struct ct_err *err)
{
	(void)ask, (void)out;
	return ct_err_set(err, -ENOSYS,
			  "this conntune was built without what reads the table in place (libbpf, "
			  "clang, bpftool)");
}

void inplace_free(struct inplace *p)
{
	(void)p;
}

int inplace_find_again(struct inplace *p, uint32_t hashsize, struct ct_err *err)
{
	(void)p, (void)hashsize;
	return ct_err_set(err, -ENOSYS, "nothing was loaded");
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

struct walk_groups *inplace_groups(const struct inplace *p, unsigned slot)
{
	(void)p, (void)slot;
	return NULL;
}

struct walk_timeouts *inplace_timeouts(const struct inplace *p)
{
	(void)p;
	return NULL;
}

#endif
