/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A listing as a source of entries: lines of /proc/net/nf_conntrack or of conntrack -L, one at a
 * time out of a buffer of fixed size, whatever the file's size and however long its lines.
 *
 * A line that is no entry is counted and its sentence kept when it is the first; the others are
 * still delivered. Empty lines, comments (#) and the sentence conntrack ends with are no entries
 * and no faults.
 */
#include "ops/table/provider.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_SIZE	(64u << 10)
/* What some editors put in front of a text. */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"
_Static_assert(BUFFER_SIZE > CT_MAX_LINE, "a whole line must fit");

struct listing {
	struct table table; /* first: the cursor is this */
	int fd;
	char name[128];	  /* for messages; the end of a longer one */
	uint64_t line_no; /* of the line read last */
	uint64_t n_bad;
	char first_bad[256];
	int error; /* of read(), which ends the table */
	bool is_end;
	size_t at, len; /* what is not yet consumed stands in buf[at .. len) */
	char buf[BUFFER_SIZE];
};

/* Reads more behind what is left, which moves to the front. 1 when there is more, 0 at the end. */
static int refill(struct listing *l)
{
	ssize_t n;

	if (l->is_end)
		return 0;
	memmove(l->buf, l->buf + l->at, l->len - l->at);
	l->len -= l->at;
	l->at = 0;
	do
		n = read(l->fd, l->buf + l->len, BUFFER_SIZE - l->len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return l->error = -errno;
	l->is_end = n == 0;
	l->len += (size_t)n;
	return n > 0;
}

static void count_bad(struct listing *l, const char *why)
{
	struct ct_text t;

	if (l->n_bad++ > 0)
		return;
	ct_text_init(&t, l->first_bad, sizeof(l->first_bad));
	ct_text_printf(&t, "%s:%llu: %s", l->name, (unsigned long long)l->line_no, why);
}

/* Drops bytes up to the end of a line that is too long to be one. */
static int skip_line(struct listing *l)
{
	int r = 1;

	while (r > 0) {
		const char *end = memchr(l->buf + l->at, '\n', l->len - l->at);

		if (end) {
			l->at = (size_t)(end - l->buf) + 1;
			return 0;
		}
		l->at = l->len;
		r = refill(l);
	}
	return r;
}

static bool begins(struct ct_slice line, const char *with)
{
	size_t len = strlen(with);

	return line.len >= len && memcmp(line.p, with, len) == 0;
}

/* The next line, without its newline, into @line. 1, 0 at the end, negative an error. */
static int next_line(struct listing *l, struct ct_slice *line)
{
	size_t seen = 0; /* bytes of this line known to hold no newline */

	for (;;) {
		const char *from = l->buf + l->at;
		const char *end = memchr(from + seen, '\n', l->len - l->at - seen);
		int r;

		seen = end ? (size_t)(end - from) : l->len - l->at;
		if (seen > CT_MAX_LINE) {
			l->line_no++;
			count_bad(l, "a line longer than any entry");
			r = skip_line(l);
			if (r < 0)
				return r;
			seen = 0;
			continue;
		}
		if (!end) {
			r = refill(l);
			if (r > 0)
				continue;
			if (r < 0 || seen == 0)
				return r;
		}
		l->line_no++;
		*line = (struct ct_slice){ l->buf + l->at, (uint32_t)seen };
		l->at += seen + (end != NULL);
		if (l->line_no == 1 && begins(*line, BYTE_ORDER_MARK)) {
			line->p += strlen(BYTE_ORDER_MARK);
			line->len -= (uint32_t)strlen(BYTE_ORDER_MARK);
		}
		return 1;
	}
}

static bool is_remark(struct ct_slice line)
{
	while (line.len > 0 && (line.p[0] == ' ' || line.p[0] == '\t' || line.p[0] == '\r')) {
		line.p++;
		line.len--;
	}
	return line.len == 0 || line.p[0] == '#' || begins(line, "conntrack v");
}

/* The kernel's own lines count their reader, even where one alone would not tell. */
static void settle_use(struct ct_entry *e)
{
	if (e->known & CT_KNOWN_USE_UNSURE)
		e->known = (e->known & ~(uint32_t)CT_KNOWN_USE_UNSURE) | CT_KNOWN_USE_READER;
}

/* Reads @line into @out; false when it is none, which is noted unless it is a remark. */
static bool take_line(struct listing *l, struct ct_slice line, struct ct_entry *out)
{
	struct ct_err why = { "" };

	if (is_remark(line))
		return false;
	if (ct_entry_parse(line.p, line.len, out, &why) < 0) {
		count_bad(l, why.text);
		return false;
	}
	if (l->table.source == TABLE_PROC)
		settle_use(out);
	return true;
}

static int listing_next(struct table *t, struct ct_entry *out, struct ct_err *err)
{
	struct listing *l = (struct listing *)t;
	struct ct_slice line;
	int r = l->error;

	while (r == 0) {
		r = next_line(l, &line);
		if (r <= 0)
			break;
		if (take_line(l, line, out))
			return 1;
		r = 0;
	}
	return r < 0 ? ct_err_wrap(err, r, "%s", l->name) : 0;
}

static void listing_info(const struct table *t, struct table_info *out)
{
	const struct listing *l = (const struct listing *)t;
	struct ct_text why;

	out->n_bad = l->n_bad;
	memcpy(out->first_bad, l->first_bad, sizeof(out->first_bad));
	out->is_whole = l->is_end && l->error == 0 && l->n_bad == 0;
	ct_text_init(&why, out->why_not, sizeof(out->why_not));
	if (l->error < 0)
		ct_text_printf(&why, "reading stopped behind line %llu: %s",
			       (unsigned long long)l->line_no, strerror(-l->error));
	else if (l->n_bad > 0)
		ct_text_printf(&why, "%llu of %llu lines were no entries",
			       (unsigned long long)l->n_bad, (unsigned long long)l->line_no);
	else if (!l->is_end)
		ct_text_str(&why, "not read to its end");
}

static void listing_free(struct table *t)
{
	struct listing *l = (struct listing *)t;

	if (!l)
		return;
	(void)close(l->fd);
	free(l);
}

static const struct table_provider listing_provider = {
	.next = listing_next,
	.info = listing_info,
	.free = listing_free,
};

int table_open_lines(int fd, const char *name, enum table_source source, struct table **out,
		     struct ct_err *err)
{
	struct listing *l = malloc(sizeof(*l));
	size_t len = strlen(name);

	if (!l) {
		(void)close(fd);
		return ct_err_set(err, -ENOMEM, "%s: out of memory", name);
	}
	memset(l, 0, offsetof(struct listing, buf));
	l->table = (struct table){ .provider = &listing_provider, .source = source };
	l->fd = fd;
	if (len >= sizeof(l->name))
		name += len - sizeof(l->name) + 1;
	strcpy(l->name, name);
	*out = &l->table;
	return 0;
}
