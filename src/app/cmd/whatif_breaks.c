/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a change would break: how many connections, of which services, and examples.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>

#include "app/cmd/whatif.h"

#define MAX_SERVICES 5

static void row(struct writer *w, const char *id, const char *what, uint64_t n)
{
	if (n == 0)
		return;
	writer_row(w);
	writer_str(w, "id", NULL, id);
	writer_u64(w, "n", NULL, n);
	writer_str(w, "what", NULL, what);
	writer_end(w);
}

static uint64_t n_translated(const struct whatif_answer *a)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < a->change->n_notrack; i++)
		n += a->outcome.notrack[i].n_nat;
	return n;
}

static uint64_t n_helped(const struct whatif_answer *a)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < a->change->n_notrack; i++)
		n += a->outcome.notrack[i].n_helped;
	return n;
}

static bool is_anything(const struct whatif_answer *a)
{
	const struct breaks *b = &a->outcome.breaks;
	uint64_t n = b->n_late + b->n_silent + n_translated(a) + n_helped(a);

	for (enum breaks_verdict v = BREAKS_OPEN; v < BREAKS_VERDICTS; v++)
		n += b->n[v];
	return n > 0;
}

static void write_counts(struct writer *w, const struct whatif_answer *a)
{
	static const struct writer_column columns[] = { { "n", "CONNECTIONS", true },
							{ "what", "", false } };
	const struct breaks *b = &a->outcome.breaks;

	writer_list(w, "breaks", "What it would break", columns, 2);
	row(w, "translated", "not tracked, but their addresses are translated: these break",
	    n_translated(a));
	row(w, "helped", "not tracked, but a helper opens their way: these break", n_helped(a));
	row(w, "open", "forgotten while a socket here is open: these break", b->n[BREAKS_OPEN]);
	row(w, "keepalive", "of these have keepalive, but not soon enough", b->n_keepalive);
	row(w, "forwarded", "forgotten, both ends elsewhere: at most these break",
	    b->n[BREAKS_FORWARDED]);
	row(w, "unknown", "forgotten, and no socket is known: at most these break",
	    b->n[BREAKS_UNKNOWN]);
	row(w, "other", "forgotten, not TCP: at most these break", b->n[BREAKS_OTHER]);
	row(w, "late_probe", "open, and keepalive would probe too late if they fell silent",
	    b->n_late);
	row(w, "silent", "open without keepalive: only what they send keeps them known",
	    b->n_silent);
	row(w, "gone", "forgotten, and their socket is closed already: no harm", b->n[BREAKS_GONE]);
	writer_end(w);
}

static void write_services(struct writer *w, const struct whatif_answer *a)
{
	static const struct writer_column columns[] = { { "service", "OF SERVICE", false },
							{ "breaks", "FORGOTTEN", true },
							{ "now", "OF ENTRIES", true } };
	struct service_row rows[MAX_SERVICES];
	size_t n = services_top(whatif_services(a->whatif), a->outcome.factor, true, rows,
				MAX_SERVICES);

	if (n == 0 && !a->is_json)
		return;
	writer_list(w, "breaks_services", NULL, columns, 3);
	for (size_t i = 0; i < n; i++) {
		char text[32];

		whatif_service_text(rows[i].key, text, sizeof(text));
		writer_row(w);
		writer_str(w, "service", NULL, text);
		writer_u64(w, "breaks", NULL, rows[i].n_breaks);
		writer_u64(w, "now", NULL, rows[i].now);
		writer_end(w);
	}
	writer_end(w);
}

static void end_text(const union ct_addr *addr, uint8_t family, ct_be16 port, struct ct_text *to)
{
	bool is_6 = family == CT_FAMILY_IPV6;

	ct_text_str(to, is_6 ? "[" : "");
	ct_addr_format(addr, family, false, to);
	ct_text_printf(to, is_6 ? "]:%u" : ":%u", ntohs(port));
}

/* An example: "10.0.0.1:40000 to 10.0.0.2:6379". */
static void tuple_text(const struct ct_tuple *t, char *out, size_t size)
{
	struct ct_text text;

	ct_text_init(&text, out, size);
	end_text(&t->src, t->family, t->src_part, &text);
	ct_text_str(&text, " to ");
	end_text(&t->dst, t->family, t->dst_part, &text);
}

static void write_examples(struct writer *w, const struct whatif_answer *a)
{
	static const struct writer_column columns[] = { { "connection", "FOR EXAMPLE", false },
							{ "idle_s", "SILENT S", true },
							{ "keepalive", "KEEPALIVE", false } };
	const struct breaks *b = &a->outcome.breaks;

	if (b->n_examples == 0 && !a->is_json)
		return;
	writer_list(w, "breaks_examples", NULL, columns, 3);
	for (unsigned i = 0; i < b->n_examples; i++) {
		char text[160];

		tuple_text(&b->example[i].tuple, text, sizeof(text));
		writer_row(w);
		writer_str(w, "connection", NULL, text);
		writer_u64(w, "idle_s", NULL, b->example[i].idle_s);
		writer_bool(w, "keepalive", NULL, b->example[i].has_keepalive);
		writer_end(w);
	}
	writer_end(w);
}

/* What is translated by whom is told by an example of each condition. */
static void write_translated(struct writer *w, const struct whatif_answer *a)
{
	for (unsigned i = 0; i < a->change->n_notrack; i++) {
		const struct whatif_notrack *n = &a->outcome.notrack[i];
		char there[160], back[160], text[600];

		if (n->n_nat == 0)
			continue;
		tuple_text(&n->nat_example[CT_DIR_ORIG], there, sizeof(there));
		tuple_text(&n->nat_example[CT_DIR_REPLY], back, sizeof(back));
		(void)snprintf(text, sizeof(text),
			       "'%s' must stay tracked: %s is answered by %s, and without tracking "
			       "nothing translates either.",
			       a->change->notrack[i].text, there, back);
		writer_para_styled(w, WRITER_BAD, 2, text);
	}
}

void whatif_write_breaks(struct writer *w, const struct whatif_answer *a)
{
	if (!is_anything(a) && !a->is_json)
		return;
	write_counts(w, a);
	write_services(w, a);
	write_examples(w, a);
	write_translated(w, a);
	if (a->outcome.breaks.n[BREAKS_OPEN] + a->outcome.breaks.n[BREAKS_FORWARDED] > 0)
		writer_para(w, 2,
			    "A connection that was forgotten is taken up again by its next packet "
			    "if nf_conntrack_tcp_loose is 1, its addresses are not translated and "
			    "the rules let a new connection of that kind pass; else it hangs.");
}
