/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Addresses and routes out of text: see routes.h. Words follow ip(8): a route is its kind (unicast
 * when none is named), its destination, and pairs of a word and its value, of which dev, src, via
 * and metric count.
 */
#include "ops/sim/routes.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/number.h"

enum { MAX_WORDS = 64, MAX_WORD = 128, MAX_TEXT = 256 << 20, ASK_MS = 5000 };

struct words {
	char at[MAX_WORDS][MAX_WORD];
	unsigned n;
};

/* A text while it is read. */
struct reading {
	struct sim_machine *m;
	char iface[MAX_WORD]; /* of `ip addr`: the one under way */
	bool is_v6;	      /* a default route without other signs is IPv6's */
};

/* Words of a line; a colon behind one and commas are not part of it. -E2BIG, or cut ones. */
static int split(const char *line, size_t len, struct words *out)
{
	out->n = 0;
	for (size_t i = 0; i < len;) {
		size_t from = i, size;

		while (i < len && !strchr(" \t\r", line[i]))
			i++;
		size = i - from;
		if (size > 1 && line[i - 1] == ':')
			size--;
		if (size >= MAX_WORD || out->n == MAX_WORDS)
			return -E2BIG;
		if (size > 0) {
			memcpy(out->at[out->n], line + from, size);
			out->at[out->n++][size] = 0;
		}
		while (i < len && strchr(" \t\r", line[i]))
			i++;
	}
	return 0;
}

static bool is_word(const struct words *w, unsigned i, const char *text)
{
	return i < w->n && strcmp(w->at[i], text) == 0;
}

/* The value behind @word, or null. */
static const char *value_of(const struct words *w, const char *word)
{
	for (unsigned i = 0; i + 1 < w->n; i++)
		if (strcmp(w->at[i], word) == 0)
			return w->at[i + 1];
	return NULL;
}

static bool kind_find(const char *word, enum ct_route_kind *out)
{
	static const struct {
		const char *name;
		enum ct_route_kind kind;
	} kinds[] = {
		{ "unicast", CT_ROUTE_UNICAST },   { "local", CT_ROUTE_TO_SELF },
		{ "anycast", CT_ROUTE_TO_SELF },   { "broadcast", CT_ROUTE_BROADCAST },
		{ "blackhole", CT_ROUTE_REFUSED }, { "unreachable", CT_ROUTE_REFUSED },
		{ "prohibit", CT_ROUTE_REFUSED },  { "throw", CT_ROUTE_REFUSED },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, word) == 0) {
			*out = kinds[i].kind;
			return true;
		}
	return false;
}

/* "default" alone does not tell its family: its gateway or source does, or the routes around. */
static const char *destination(const struct reading *rd, const char *dst, const char *via,
			       const char *source)
{
	const char *sign = via ? via : source;

	if (strcmp(dst, "default") != 0 && strcmp(dst, "0/0") != 0)
		return dst;
	return (sign ? strchr(sign, ':') != NULL : rd->is_v6) ? "default6" : "default";
}

static int add_route(const struct reading *rd, const struct words *w, unsigned from,
		     struct ct_err *err)
{
	const char *metric = value_of(w, "metric"), *via = value_of(w, "via");
	struct sim_route route = { .kind = CT_ROUTE_UNICAST };
	uint64_t number = 0;

	/* "multicast" routes are those of a multicast router, which none is here. */
	if (is_word(w, from, "multicast"))
		return 0;
	if (from < w->n && kind_find(w->at[from], &route.kind))
		from++;
	if (from >= w->n)
		return ct_err_set(err, -EINVAL, "a route without destination");
	if (metric && ct_number_u64(metric, strlen(metric), UINT32_MAX, &number) < 0)
		return ct_err_set(err, -EINVAL, "'%s' is no metric", metric);
	if (via && (strcmp(via, "inet6") == 0 || strcmp(via, "inet") == 0))
		via = NULL;
	route.source = value_of(w, "src");
	route.dst = destination(rd, w->at[from], via, route.source);
	route.iface = value_of(w, "dev");
	route.metric = (uint32_t)number;
	return sim_machine_route(rd->m, &route, err);
}

static int add_addr(const struct reading *rd, const char *iface, const char *addr,
		    struct ct_err *err)
{
	char text[2 * MAX_WORD];

	(void)snprintf(text, sizeof(text), "%s%s%s", iface ? iface : "", iface ? "=" : "", addr);
	return sim_machine_addr(rd->m, text, err);
}

/* "eth0@if5" is eth0. */
static void set_iface(struct reading *rd, const char *name)
{
	(void)snprintf(rd->iface, sizeof(rd->iface), "%.*s", (int)strcspn(name, "@"), name);
}

/* A line of `ip addr`: "2: eth0: <UP> ...", "inet 192.0.2.1/24 ... eth0", or both with -o. False
 * when it is none. */
static bool is_addr_line(struct reading *rd, const struct words *w, int *result, struct ct_err *err)
{
	bool is_headed = w->n >= 2 && strspn(w->at[0], "0123456789") == strlen(w->at[0]);
	const char *inet = value_of(w, "inet") ? value_of(w, "inet") : value_of(w, "inet6");

	if (is_headed)
		set_iface(rd, w->at[1]);
	*result = 0;
	if (is_headed && !inet)
		return true;
	if (is_headed || is_word(w, 0, "inet") || is_word(w, 0, "inet6")) {
		*result = add_addr(rd, rd->iface, inet ? inet : "", err);
		return true;
	}
	return is_word(w, 0, "valid_lft") || is_word(w, 0, "altname") ||
	       (w->n > 0 && strncmp(w->at[0], "link/", 5) == 0);
}

static int set_forwarding(const struct reading *rd, const char *value, struct ct_err *err)
{
	if (!value || (strcmp(value, "on") != 0 && strcmp(value, "off") != 0))
		return ct_err_set(err, -EINVAL, "forwarding is on or off");
	rd->m->router.is_forwarding = strcmp(value, "on") == 0;
	rd->m->has_forwarding = true;
	return 0;
}

static int read_line(struct reading *rd, const char *line, size_t len, struct ct_err *err)
{
	struct words w;
	int r;

	if (split(line, len, &w) < 0)
		return ct_err_set(err, -EINVAL, "the line is too long");
	if (w.n == 0 || w.at[0][0] == '#' || is_word(&w, 0, "nexthop"))
		return 0;
	if (is_addr_line(rd, &w, &r, err))
		return r;
	if (is_word(&w, 0, "forwarding"))
		return set_forwarding(rd, w.n > 1 ? w.at[1] : NULL, err);
	if (is_word(&w, 0, "address") || is_word(&w, 0, "addr"))
		return add_addr(rd, value_of(&w, "dev"), w.n > 1 ? w.at[1] : "", err);
	return add_route(rd, &w, is_word(&w, 0, "route"), err);
}

static int read_lines(struct reading *rd, const char *name, const char *text, size_t len,
		      struct ct_err *err)
{
	unsigned number = 0;

	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t line_len = end ? (size_t)(end - text) : len;
		int r;

		number++;
		r = read_line(rd, text, line_len, err);
		if (r < 0)
			return ct_err_wrap(err, r, "%s:%u", name, number);
		text += line_len + (end != NULL);
		len -= line_len + (end != NULL);
	}
	return 0;
}

/* The routes of a text that say which family its default route is of. */
static bool looks_like_v6(const char *text, size_t len)
{
	const char *colons = memmem(text, len, "fe80::/", 7),
		   *all = memmem(text, len, "ff00::/", 7);

	return colons || all;
}

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static int read_json_route(const struct reading *rd, const json_t *o, struct ct_err *err)
{
	const char *type = text_of(o, "type"), *via = text_of(o, "gateway");
	const json_t *hops = json_object_get(o, "nexthops"), *first = json_array_get(hops, 0);
	struct sim_route route = { .kind = CT_ROUTE_UNICAST };

	if (type && strcmp(type, "multicast") == 0)
		return 0;
	if (type && !kind_find(type, &route.kind))
		return ct_err_set(err, -EINVAL, "'%s' is no kind of route", type);
	route.iface = text_of(first ? first : o, "dev");
	route.source = text_of(o, "prefsrc");
	route.metric = (uint32_t)json_integer_value(json_object_get(o, "metric"));
	if (!via && first)
		via = text_of(first, "gateway");
	route.dst = destination(rd, text_of(o, "dst"), via, route.source);
	return sim_machine_route(rd->m, &route, err);
}

static int read_json_link(const struct reading *rd, const json_t *o, struct ct_err *err)
{
	const json_t *list = json_object_get(o, "addr_info");
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		const char *local = text_of(one, "local");
		char addr[MAX_WORD];

		if (!local)
			continue;
		(void)snprintf(addr, sizeof(addr), "%.80s/%u", local,
			       (unsigned)json_integer_value(json_object_get(one, "prefixlen")));
		r = add_addr(rd, text_of(o, "ifname"), addr, err);
	}
	return r;
}

static int read_json(struct reading *rd, const char *name, const char *text, size_t len,
		     struct ct_err *err)
{
	json_error_t fault;
	json_t *root = json_loadb(text, len, 0, &fault);
	int r = 0;

	if (!root)
		return ct_err_set(err, -EINVAL, "%s:%d: %s", name, fault.line, fault.text);
	for (size_t i = 0; r == 0 && i < json_array_size(root); i++) {
		const json_t *o = json_array_get(root, i);

		if (text_of(o, "dst"))
			r = read_json_route(rd, o, err);
		else if (text_of(o, "ifname"))
			r = read_json_link(rd, o, err);
		if (r < 0)
			r = ct_err_wrap(err, r, "%s: element %zu", name, i + 1);
	}
	json_decref(root);
	return r;
}

int sim_routes_text(struct sim_machine *m, const char *name, const char *text, size_t len,
		    struct ct_err *err)
{
	struct reading rd = { .m = m, .is_v6 = looks_like_v6(text, len) };
	size_t blanks = 0;

	while (blanks < len && strchr(" \t\r\n", text[blanks]))
		blanks++;
	return blanks < len && text[blanks] == '[' ? read_json(&rd, name, text, len, err)
						   : read_lines(&rd, name, text, len, err);
}

int sim_routes_file(struct sim_machine *m, const char *path, struct ct_err *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	auto_fd int opened = is_stdin ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	ssize_t n = 1;

	if (!is_stdin && opened < 0)
		return ct_err_set(err, -errno, "%s: %s", path, strerror(errno));
	while (n > 0 && text.len < MAX_TEXT) {
		if (ct_buf_reserve(&text, 65536) < 0)
			return ct_err_set(err, -ENOMEM, "%s: no memory", path);
		n = read(is_stdin ? STDIN_FILENO : opened, text.p + text.len, 65536);
		if (n > 0)
			text.len += (size_t)n;
	}
	if (n != 0)
		return ct_err_set(err, n < 0 ? -errno : -EFBIG, "%s: %s", path,
				  n < 0 ? strerror(errno) : "too large");
	return sim_routes_text(m, is_stdin ? "standard input" : path, text.p, text.len, err);
}

/* What one command says; a copy need not have recorded it. */
static int ask(struct sim_machine *m, struct host *h, const char *name, const char *const argv[],
	       struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	struct reading rd = { .m = m, .is_v6 = strstr(name, "-6") != NULL };
	int r = host_command(h, name, argv, ASK_MS, &text, NULL);

	if (r < 0)
		return ct_err_set(err, r, "the machine does not tell '%s': %s", name, strerror(-r));
	return text.len > 0 && text.p[0] == '[' ? read_json(&rd, name, text.p, text.len, err)
						: read_lines(&rd, name, text.p, text.len, err);
}

int sim_routes_host(struct sim_machine *m, struct host *h, struct ct_err *err)
{
	static const struct {
		const char *name;
		const char *argv[6];
	} questions[] = {
		{ "ip-addr", { "ip", "addr", NULL } },
		{ "ip-route", { "ip", "route", NULL } },
		{ "ip-6-route", { "ip", "-6", "route", NULL } },
	};
	int64_t forward = 0;

	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		int r = ask(m, h, questions[i].name, questions[i].argv, err);

		if (r < 0)
			return r;
	}
	m->has_forwarding = host_read_i64(h, "/proc/sys/net/ipv4/ip_forward", &forward) == 0;
	m->router.is_forwarding = forward != 0;
	m->router.refuses_martians = true;
	return 0;
}
