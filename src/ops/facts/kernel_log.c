/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A line is a stamp, perhaps a host name and "kernel:", and a message; see kernel_log.h.
 *
 * Messages answer to Linux nf_conntrack_core.c (__nf_conntrack_alloc), nf_conntrack_expect.c,
 * net/core/utils.c (net_ratelimit) and tcp_input.c (tcp_syn_flood_action).
 */
#include "ops/facts/kernel_log.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/number.h"

struct stamp {
	const char *text;
	size_t len;
	double uptime_s;
	bool is_uptime;
};

/* Finds @what in a piece of text that is not NUL-terminated. */
static const char *find(const char *at, const char *end, const char *what)
{
	return memmem(at, (size_t)(end - at), what, strlen(what));
}

/* The digits at @at as a number; @end_of_digits moves behind them. False when there are none. */
static bool digits(const char *at, const char *end, uint64_t *out, const char **end_of_digits)
{
	const char *p = at;

	while (p < end && isdigit((unsigned char)*p))
		p++;
	if (ct_number_u64(at, (size_t)(p - at), UINT64_MAX, out) < 0)
		return false;
	*end_of_digits = p;
	return true;
}

/* "12345.678901" or " 123.4" between the brackets of dmesg. */
static bool uptime(const char *at, const char *end, double *out)
{
	uint64_t whole, fraction;
	double scale = 1;
	const char *dot, *p;

	while (at < end && *at == ' ')
		at++;
	if (!digits(at, end, &whole, &dot) || dot == end || *dot != '.' ||
	    !digits(dot + 1, end, &fraction, &p) || p != end)
		return false;
	for (const char *d = dot + 1; d < end; d++)
		scale *= 10;
	*out = (double)whole + (double)fraction / scale;
	return true;
}

/* "<4>" in front of a line, as the raw ring buffer writes it. */
static const char *skip_priority(const char *at, const char *end)
{
	const char *p = at;

	if (p >= end || *p != '<')
		return at;
	for (p++; p < end && isdigit((unsigned char)*p); p++)
		;
	return p < end && *p == '>' ? p + 1 : at;
}

/* "4,1234,567890123,-;message" of /dev/kmsg: the third number is microseconds since boot. */
static bool kmsg_stamp(const char *at, const char *end, struct stamp *out)
{
	uint64_t n, us;
	const char *p, *stamp;

	if (!digits(at, end, &n, &p) || p == end || *p != ',' || !digits(p + 1, end, &n, &p) ||
	    p == end || *p != ',')
		return false;
	stamp = p + 1;
	if (!digits(stamp, end, &us, &p) || p == end || (*p != ',' && *p != ';'))
		return false;
	*out = (struct stamp){ stamp, (size_t)(p - stamp), (double)us / 1e6, true };
	return true;
}

/* "[  123.456789] " behind the "kernel: " of a syslog file: the calendar stays the stamp's text,
 * but the moment since boot is known too. */
static void kernel_uptime(const char *at, const char *end, struct stamp *s)
{
	const char *p = find(at, end, " kernel: [");
	const char *stop;

	if (!p)
		return;
	p += strlen(" kernel: [");
	stop = memchr(p, ']', (size_t)(end - p));
	s->is_uptime = stop && uptime(p, stop, &s->uptime_s);
}

/* The stamp in front of a line, in any of the forms named in the header. */
static struct stamp find_stamp(const char *at, const char *end)
{
	struct stamp s = { at, 0, 0, false };
	const char *p;

	at = skip_priority(at, end);
	if (kmsg_stamp(at, end, &s))
		return s;
	if (at < end && *at == '[') {
		p = memchr(at, ']', (size_t)(end - at));
		if (!p)
			return s;
		for (at++; at < p && *at == ' '; at++)
			;
		s = (struct stamp){ at, (size_t)(p - at), 0, false };
		s.is_uptime = uptime(at, p, &s.uptime_s);
		return s;
	}
	s.text = at;
	if (end - at >= 15 && isalpha((unsigned char)at[0]) && at[3] == ' ' && at[9] == ':' &&
	    at[12] == ':') {
		s.len = 15;
		kernel_uptime(at, end, &s);
		return s;
	}
	p = memchr(at, ' ', (size_t)(end - at));
	if (p && p - at >= 19 && at[4] == '-' && at[10] == 'T') {
		s.len = (size_t)(p - at);
		kernel_uptime(p, end, &s);
	}
	return s;
}

/* Whether what stands before a message is what a log puts before the kernel's own words, so that
 * somebody's command line quoting the message does not count. */
static bool is_kernel_prefix(const char *line, const char *message)
{
	static const char *const ends[] = { "] ", "kernel: ", ";", ">" };
	size_t len = (size_t)(message - line);

	if (len == 0)
		return true;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t n = strlen(ends[i]);

		if (len >= n && memcmp(message - n, ends[i], n) == 0)
			return true;
	}
	return false;
}

static void copy_printable(char *to, size_t size, const char *from, size_t len)
{
	if (len >= size)
		len = size - 1;
	for (size_t i = 0; i < len; i++)
		to[i] = isprint((unsigned char)from[i]) ? from[i] : '?';
	to[len] = '\0';
}

static void event_add(struct kernel_log_event *e, const struct stamp *s)
{
	if (e->n++ == 0) {
		copy_printable(e->first, sizeof(e->first), s->text, s->len);
		e->first_s = s->uptime_s;
	}
	copy_printable(e->last, sizeof(e->last), s->text, s->len);
	e->last_s = s->uptime_s;
	e->is_uptime = s->is_uptime;
}

static void add_netns(struct kernel_log *log, uint64_t inode, const struct stamp *s)
{
	unsigned i;

	for (i = 0; i < log->n_netns && log->netns[i].inode != inode; i++)
		;
	if (i == KERNEL_LOG_MAX_NETNS)
		return;
	if (i == log->n_netns)
		log->netns[log->n_netns++] = (struct kernel_log_netns){ .inode = inode };
	event_add(&log->netns[i].full, s);
}

/* "table full, dropping packet" or "table full in netns 4026532314, dropping packet" */
static void take_full(struct kernel_log *log, const char *at, const char *end,
		      const struct stamp *s)
{
	static const char in_netns[] = "table full in netns ";
	const char *p = find(at, end, in_netns);
	uint64_t inode;

	event_add(&log->full, s);
	if (p && digits(p + strlen(in_netns), end, &inode, &p))
		add_netns(log, inode, s);
	else
		event_add(&log->full_unnamed, s);
}

/* "nf_conntrack version 0.5.0 (65536 buckets, 262144 max)" */
static void take_version(struct kernel_log *log, const char *at, const char *end)
{
	const char *p = memchr(at, '(', (size_t)(end - at));
	uint64_t buckets, max;

	if (!p || !digits(p + 1, end, &buckets, &p))
		return;
	p = find(p, end, ", ");
	if (!p || !digits(p + 2, end, &max, &p))
		return;
	log->is_version_known = true;
	log->version_buckets = buckets;
	log->version_max = max;
}

static void take_conntrack(struct kernel_log *log, const char *at, const char *end,
			   const struct stamp *s)
{
	if (find(at, end, "expectation table full"))
		event_add(&log->expect_full, s);
	else if (find(at, end, "table full"))
		take_full(log, at, end, s);
}

/* "net_ratelimit: 123 callbacks suppressed" and the older "ratelimit: 123 messages suppressed" */
static bool take_suppressed(struct kernel_log *log, const char *line, const char *end)
{
	const char *p = find(line, end, "net_ratelimit: ");
	uint64_t n;

	if (!p || !digits(p + 15, end, &n, &p) || !find(p, end, "callbacks suppressed"))
		return false;
	log->n_suppressed += n;
	return true;
}

/* "TCP: request_sock_TCP: Possible SYN flooding on port 80. Sending cookies."; newer kernels
 * write the address in front of the port: "on port 0.0.0.0:80." or "[::]:80." */
static bool take_syn_flood(struct kernel_log *log, const char *line, const char *end,
			   const struct stamp *s)
{
	const char *p = find(line, end, "ossible SYN flooding on port "), *dot;
	uint64_t port;

	if (!p || !find(line, p, "TCP: "))
		return false;
	event_add(&log->syn_flood, s);
	p += strlen("ossible SYN flooding on port ");
	dot = find(p, end, ". ");
	if (!dot)
		dot = end;
	for (const char *q = dot; q > p; q--) {
		if (q[-1] == ':') {
			p = q;
			break;
		}
	}
	if (digits(p, dot, &port, &p) && port <= UINT16_MAX)
		log->syn_flood_port = (uint16_t)port;
	return true;
}

/* What systemd-sysctl and sysctl(8) say when a knob is not there yet. */
static bool take_boot_miss(struct kernel_log *log, const char *line, const char *end,
			   const struct stamp *s)
{
	const char *p = find(line, end, "systemd-sysctl");

	if (!p)
		p = find(line, end, "sysctl: ");
	if (!p || !find(p, end, "conntrack"))
		return false;
	if (!find(p, end, "Couldn't write") && !find(p, end, "cannot stat"))
		return false;
	event_add(&log->boot_miss, s);
	copy_printable(log->boot_miss_text, sizeof(log->boot_miss_text), p, (size_t)(end - p));
	return true;
}

void kernel_log_forget(struct kernel_log *log)
{
	*log = (struct kernel_log){
		.n_lines = log->n_lines,
		.n_boots = log->n_boots,
		.is_uptime_known = log->is_uptime_known,
		.uptime_s = log->uptime_s,
	};
}

/* A boot begins with the kernel's name (start_kernel() prints linux_banner first), and the clock
 * of its lines begins at 0. Writers of files may put lines a little out of order. */
static void take_boot(struct kernel_log *log, const char *line, const char *end,
		      const struct stamp *s)
{
	static const double out_of_order_s = 30;
	const char *p = find(line, end, "Linux version ");
	bool is_first = p && is_kernel_prefix(line, p);
	bool is_back = s->is_uptime && log->is_uptime_known &&
		       s->uptime_s < log->uptime_s - out_of_order_s;

	if (is_first || is_back) {
		kernel_log_forget(log);
		log->n_boots++;
		log->is_uptime_known = false;
	}
	if (s->is_uptime && (!log->is_uptime_known || s->uptime_s > log->uptime_s))
		log->uptime_s = s->uptime_s;
	log->is_uptime_known |= s->is_uptime;
}

void kernel_log_line(struct kernel_log *log, const char *line, size_t len)
{
	const char *end = line + len, *p;
	struct stamp s;

	while (end > line && (end[-1] == '\n' || end[-1] == '\r'))
		end--;
	if (end == line)
		return;
	log->n_lines++;
	s = find_stamp(line, end);
	take_boot(log, line, end, &s);
	if (take_suppressed(log, line, end) || take_syn_flood(log, line, end, &s) ||
	    take_boot_miss(log, line, end, &s))
		return;
	p = find(line, end, "_conntrack");
	if (!p || p - line < 2 || !is_kernel_prefix(line, p - 2))
		return;
	p += strlen("_conntrack");
	if (end - p >= 2 && memcmp(p, ": ", 2) == 0) {
		if (memcmp(p - strlen("ip_conntrack"), "ip", 2) == 0)
			log->is_legacy = true;
		take_conntrack(log, p + 2, end, &s);
	} else if (find(p, end, " version ") == p) {
		take_version(log, p, end);
	}
}

void kernel_log_text(struct kernel_log *log, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline ? newline : end;

		kernel_log_line(log, text, (size_t)(stop - text));
		text = newline ? newline + 1 : end;
	}
}
