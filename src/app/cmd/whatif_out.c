/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How conntune whatif shows its answer: before beside after, then what is not sure and why.
 */
#include <inttypes.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "app/cmd/whatif.h"

#define MAX_SERVICES 1000 /* that --limit takes */
#define NEAR_FULL    0.5

static const char *bytes_text(double v, char *out, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	unsigned unit = 0;

	for (; v >= 1024 && unit < 4; unit++)
		v /= 1024;
	(void)snprintf(out, size, "%.*f %s", v < 10 && unit > 0 ? 1 : 0, v, units[unit]);
	return out;
}

static const char *span_text(uint32_t s, char *out, size_t size)
{
	if (s >= 172800 && s % 86400 == 0)
		(void)snprintf(out, size, "%" PRIu32 " d", s / 86400);
	else if (s >= 3600 && s % 3600 == 0)
		(void)snprintf(out, size, "%" PRIu32 " h", s / 3600);
	else
		(void)snprintf(out, size, "%" PRIu32 " s", s);
	return out;
}

static void put_count(struct writer *w, const char *key, double n)
{
	writer_u64(w, key, NULL, n > 0 ? (uint64_t)llround(n) : 0);
}

/* --- the change --- */

static void write_setting(struct writer *w, const struct whatif_answer *a,
			  const struct change_set *s)
{
	const struct setting_value *v =
		settings_get(&a->facts->netns[0].settings, s->setting->name);
	char text[64];

	writer_row(w);
	writer_str(w, "what", NULL, s->setting->name);
	if (v && v->is_now_known) {
		writer_i64(w, "now", NULL, v->now);
	} else if (!strcmp(s->setting->name, "nf_conntrack_max") && a->now.is_max_known) {
		writer_u64(w, "now", NULL, a->now.max);
	} else if (!strcmp(s->setting->name, "nf_conntrack_buckets") && a->now.buckets) {
		writer_u64(w, "now", NULL, a->now.buckets);
	} else {
		writer_unknown(w, "now", NULL, NULL);
	}
	if (!strcmp(s->setting->name, "nf_conntrack_buckets") &&
	    a->then.buckets != (uint64_t)s->value) {
		(void)snprintf(text, sizeof(text), "%" PRIu64 " (whole pages)", a->then.buckets);
		writer_u64_as(w, "then", NULL, a->then.buckets, text);
	} else {
		writer_i64(w, "then", NULL, s->value);
	}
	writer_end(w);
}

static void write_change(struct writer *w, const struct whatif_answer *a)
{
	static const struct writer_column columns[] = { { "what", "CHANGE", false },
							{ "now", "NOW", true },
							{ "then", "THEN", true } };
	const struct change *c = a->change;

	writer_list(w, "change", "Change", columns, 3);
	for (unsigned i = 0; i < c->n_sets; i++)
		write_setting(w, a, &c->set[i]);
	for (unsigned i = 0; i < c->n_notrack; i++) {
		char text[200];

		(void)snprintf(text, sizeof(text), "not tracked: %s", c->notrack[i].text);
		writer_row(w);
		writer_str(w, "what", NULL, text);
		writer_end(w);
	}
	if (c->growth > 0) {
		writer_row(w);
		writer_str(w, "what", NULL, "connections");
		writer_f64(w, "now", NULL, 1, 0);
		writer_f64(w, "then", NULL, c->growth, 2);
		writer_end(w);
	}
	writer_end(w);
}

/* --- the whole --- */

static void level_row(struct writer *w, const char *id, const char *what)
{
	writer_row(w);
	writer_str(w, "id", NULL, id);
	writer_str(w, "what", NULL, what);
}

static void put_share(struct writer *w, const char *key, double v)
{
	char text[32];

	if (v < 1e-12)
		(void)snprintf(text, sizeof(text), "0");
	else if (v < 0.001)
		(void)snprintf(text, sizeof(text), "%.1e", v);
	else
		(void)snprintf(text, sizeof(text), "%.1f %%", 100 * v);
	writer_f64_as(w, key, NULL, v, text);
}

static void write_shares(struct writer *w, const char *id, const char *what, double now,
			 double then)
{
	level_row(w, id, what);
	put_share(w, "now", now);
	put_share(w, "then", then);
	writer_end(w);
}

static void put_bytes(struct writer *w, const char *key, uint64_t n)
{
	char text[32];

	writer_u64_as(w, key, NULL, n, bytes_text((double)n, text, sizeof(text)));
}

static void write_entries(struct writer *w, const struct whatif_answer *a)
{
	const struct whatif_row *total = &a->outcome.total;

	level_row(w, "entries", "entries");
	writer_u64(w, "now", NULL, total->now);
	put_count(w, "then", total->then);
	put_count(w, "low", total->low);
	put_count(w, "high", total->high);
	writer_end(w);
	if (fabs(total->settled - (double)total->now) > 0.03 * (double)total->now) {
		level_row(w, "settled", "entries once settled, nothing changed");
		put_count(w, "then", total->settled);
		writer_end(w);
	}
	level_row(w, "rate_per_s", "entries that end by time, a second");
	writer_f64(w, "now", NULL, total->rate_per_s, 1);
	writer_f64(w, "then", NULL, total->rate_then_per_s, 1);
	writer_end(w);
}

static void write_limit(struct writer *w, const struct whatif_answer *a)
{
	const struct whatif_row *total = &a->outcome.total;

	level_row(w, "max", "max");
	if (a->now.is_max_known)
		writer_u64(w, "now", NULL, a->now.max);
	if (a->then.is_max_known)
		writer_u64(w, "then", NULL, a->then.max);
	writer_end(w);
	if (a->now.max == 0 || a->then.max == 0)
		return;
	level_row(w, "fill", "share of max");
	put_share(w, "now", a->now.fill);
	put_share(w, "then", a->then.fill);
	put_share(w, "low", total->low / (double)a->then.max);
	put_share(w, "high", total->high / (double)a->then.max);
	writer_end(w);
	if (a->then.homeless > 0 || a->now.homeless > 0)
		write_shares(w, "homeless", "of these no room for", a->now.homeless,
			     a->then.homeless);
	if (a->now.buckets == 0 || a->then.buckets == 0)
		return;
	write_shares(w, "dropped", "chance that a new connection is dropped", a->now.dropped,
		     a->then.dropped);
	if (a->now.fill >= NEAR_FULL || a->then.fill >= NEAR_FULL)
		write_shares(w, "dropped_when_full", "in moments when it is full",
			     a->now.dropped_full, a->then.dropped_full);
}

static void write_level(struct writer *w, const struct whatif_answer *a)
{
	static const struct writer_column columns[] = {
		{ "what", "TABLE", false },  { "now", "NOW", true },	  { "then", "THEN", true },
		{ "low", "AT LEAST", true }, { "high", "AT MOST", true },
	};

	writer_list(w, "table", "The table", columns, 5);
	write_entries(w, a);
	write_limit(w, a);
	if (a->now.buckets && a->then.buckets) {
		level_row(w, "buckets", "buckets");
		writer_u64(w, "now", NULL, a->now.buckets);
		writer_u64(w, "then", NULL, a->then.buckets);
		writer_end(w);
		level_row(w, "mean_chain_links", "mean chain, all namespaces");
		writer_f64(w, "now", NULL, 2 * a->now.per_bucket, 2);
		writer_f64(w, "then", NULL, 2 * a->then.per_bucket, 2);
		writer_end(w);
		level_row(w, "lookup_links", "links walked to find an entry");
		writer_f64(w, "now", NULL, a->now.lookup_links, 2);
		writer_f64(w, "then", NULL, a->then.lookup_links, 2);
		writer_end(w);
		write_shares(w, "refused", "chance that one is refused: chain too long",
			     a->now.refused, a->then.refused);
	}
	level_row(w, "memory_bytes", "memory");
	put_bytes(w, "now", a->now.cost.total_bytes);
	put_bytes(w, "then", a->then.cost.total_bytes);
	writer_end(w);
	if (a->now.max && a->then.max) {
		level_row(w, "memory_full_bytes", "memory when full");
		put_bytes(w, "now", a->now.cost_full.total_bytes);
		put_bytes(w, "then", a->then.cost_full.total_bytes);
		writer_end(w);
	}
	writer_end(w);
}

void whatif_write_brief(struct writer *w, const struct whatif_answer *a)
{
	writer_section(w, "prediction", NULL);
	write_level(w, a);
	whatif_write_breaks(w, a);
	writer_end(w);
}

/* --- kinds and services --- */

static void write_kind(struct writer *w, enum whatif_slot slot, const struct whatif_row *row)
{
	char a[24], b[24], text[64] = "";

	writer_row(w);
	writer_str(w, "kind", NULL, whatif_slot_text(slot));
	writer_u64(w, "now", NULL, row->now);
	put_count(w, "then", row->then);
	put_count(w, "low", row->low);
	put_count(w, "high", row->high);
	writer_f64(w, "rate_per_s", NULL, row->rate_per_s, 1);
	if (row->full_s) {
		if (row->full_s == row->then_s)
			(void)snprintf(text, sizeof(text), "%s",
				       span_text(row->full_s, a, sizeof(a)));
		else
			(void)snprintf(text, sizeof(text), "%s to %s",
				       span_text(row->full_s, a, sizeof(a)),
				       span_text(row->then_s, b, sizeof(b)));
		writer_u64_as(w, "timeout_s", NULL, row->full_s, text);
		writer_u64(w, "timeout_then_s", NULL, row->then_s);
	}
	writer_u64(w, "notrack", NULL, row->n_notrack);
	writer_f64(w, "settled", NULL, row->settled, 0);
	writer_end(w);
}

static void write_kinds(struct writer *w, const struct whatif_answer *a)
{
	static const struct writer_column columns[] = {
		{ "kind", "STATE", false },	  { "now", "NOW", true },
		{ "then", "THEN", true },	  { "low", "AT LEAST", true },
		{ "high", "AT MOST", true },	  { "rate_per_s", "ENDING/S", true },
		{ "timeout_s", "TIMEOUT", true },
	};

	writer_list(w, "states", "By state", columns, 7);
	for (enum whatif_slot i = 0; i < WHATIF_SLOTS; i++)
		if (a->outcome.row[i].now > 0)
			write_kind(w, i, &a->outcome.row[i]);
	writer_end(w);
}

void whatif_service_text(struct service_key key, char *out, size_t size)
{
	bool has_port = key.proto == IPPROTO_TCP || key.proto == IPPROTO_UDP ||
			key.proto == IPPROTO_SCTP || key.proto == IPPROTO_DCCP ||
			key.proto == IPPROTO_UDPLITE;
	const char *name = ct_proto_name(key.proto);

	if (strcmp(name, "unknown") == 0)
		(void)snprintf(out, size, "protocol %u", key.proto);
	else if (has_port)
		(void)snprintf(out, size, "%s/%u", name, key.port);
	else
		(void)snprintf(out, size, "%s", name);
}

static void write_services(struct writer *w, const struct whatif_answer *a)
{
	static const struct writer_column columns[] = { { "service", "SERVICE", false },
							{ "now", "NOW", true },
							{ "then", "THEN", true } };
	struct service_row rows[MAX_SERVICES];
	size_t n =
		services_top(whatif_services(a->whatif), a->outcome.factor, false, rows, a->limit);

	writer_list(w, "services", "By service", columns, 3);
	for (size_t i = 0; i < n; i++) {
		char text[32];

		whatif_service_text(rows[i].key, text, sizeof(text));
		writer_row(w);
		writer_str(w, "service", NULL, text);
		writer_u64(w, "now", NULL, rows[i].now);
		put_count(w, "then", rows[i].then);
		writer_end(w);
	}
	writer_end(w);
}

static void write_notrack(struct writer *w, const struct whatif_answer *a)
{
	static const struct writer_column columns[] = {
		{ "conditions", "NOT TRACKED", false }, { "entries", "ENTRIES", true },
		{ "alone", "BY IT ALONE", true },	{ "nat", "TRANSLATED", true },
		{ "helped", "WITH HELPER", true },
	};

	if (a->change->n_notrack == 0)
		return;
	writer_list(w, "notrack", "Not tracked", columns, 5);
	for (unsigned i = 0; i < a->change->n_notrack; i++) {
		const struct whatif_notrack *n = &a->outcome.notrack[i];

		writer_row(w);
		writer_str(w, "conditions", NULL, a->change->notrack[i].text);
		writer_u64(w, "entries", NULL, n->n);
		writer_u64(w, "alone", NULL, n->n_alone);
		writer_u64(w, "nat", NULL, n->n_nat);
		writer_u64(w, "helped", NULL, n->n_helped);
		writer_bool(w, "breaks", NULL, n->n_nat + n->n_helped > 0);
		writer_end(w);
	}
	writer_end(w);
}

/* --- what is not sure --- */

/* Remarks are rows for programs and paragraphs for people, each in a walk of its own. */
struct remarks {
	struct writer *w;
	bool are_paragraphs;
};

static void say(const struct remarks *r, const char *id, uint64_t n, const char *text)
{
	if (r->are_paragraphs) {
		writer_para(r->w, 2, text);
		return;
	}
	writer_row(r->w);
	writer_str(r->w, "id", NULL, id);
	if (n)
		writer_u64(r->w, "n", NULL, n);
	writer_str(r->w, "text", NULL, text);
	writer_end(r->w);
}

static void say_effect(const struct remarks *r, const struct whatif_answer *a)
{
	char text[400], span[24];

	if (a->outcome.effect_s == 0)
		return;
	(void)snprintf(
		text, sizeof(text),
		"An entry keeps the time it was given until its next packet: the numbers are "
		"reached after up to %s, not at once.",
		span_text(a->outcome.effect_s, span, sizeof(span)));
	say(r, "delay", a->outcome.effect_s, text);
}

static void say_certainty(const struct remarks *r, const struct whatif_answer *a)
{
	static const struct {
		enum whatif_certainty certainty;
		const char *id, *text;
	} rows[] = {
		{ WHATIF_LONGER, "longer",
		  "have more time left than their setting gives: a timeout policy, or the setting "
		  "was longer before. Counted as staying; AT LEAST is without them." },
		{ WHATIF_FIXED, "fixed", "have a fixed timeout, which no setting changes." },
		{ WHATIF_OFFLOAD, "offload",
		  "are in a flow table, whose own timer rules them; counted as staying." },
		{ WHATIF_UNAGED, "unaged",
		  "do not show how long they have been idle; counted as staying. AT LEAST is "
		  "without them." },
	};
	char text[400];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t n = a->outcome.n_certainty[rows[i].certainty];

		if (n == 0)
			continue;
		(void)snprintf(text, sizeof(text), "%" PRIu64 " entr%s %s", n,
			       n == 1 ? "y:" : "ies:", rows[i].text);
		say(r, rows[i].id, n, text);
	}
	if (a->outcome.n_unsure == 0)
		return;
	(void)snprintf(text, sizeof(text),
		       "Of %" PRIu64
		       " TCP entries the shorter clock of unacknowledged data or repeated segments "
		       "may have run: whether they would stay is not known; AT LEAST and AT MOST "
		       "take it either way.",
		       a->outcome.n_unsure);
	say(r, "two_clocks", a->outcome.n_unsure, text);
}

/* Remarks on one kind. */
static void say_kind(const struct remarks *r, enum whatif_slot slot, const struct whatif_row *row)
{
	const char *kind = whatif_slot_text(slot);
	char text[400];

	if (row->is_young) {
		(void)snprintf(text, sizeof(text),
			       row->goes_on
				       ? "%s: none is nearly as old as its timeout, so these began "
					 "to come a short while ago. They are taken to go on: with "
					 "nothing changed there will be %.0f."
				       : "%s: none is nearly as old as its timeout: they began a "
					 "short while ago, or came at once. What will be more is "
					 "not known; AT MOST is with as many a second as so far.",
			       kind, row->settled);
		say(r, "young", row->now, text);
	}
	if (row->is_beyond && row->now > 0) {
		(void)snprintf(text, sizeof(text),
			       whatif_slot_ends(slot) == WHATIF_BY_TIME
				       ? "%s: reckoned from %.1f a second that end by time."
				       : "%s: what would be older than now cannot be seen. THEN is "
					 "with all of the %.1f a second that end by time staying "
					 "silent; AT LEAST is with all of them speaking again.",
			       kind, row->rate_per_s);
		say(r, "beyond", row->now, text);
	}
	if (row->has_gap) {
		(void)snprintf(text, sizeof(text),
			       "%s: there is a gap in the ages. Nothing came for a while, or the "
			       "timeout was changed lately; then its numbers are not to be trusted "
			       "before all entries were given the present one.",
			       kind);
		say(r, "gap", row->now, text);
	}
}

static void say_count(const struct remarks *r, const struct whatif_answer *a)
{
	const struct facts_netns *ns = &a->facts->netns[0];
	uint64_t n = a->outcome.total.now;
	char text[400];

	if (a->is_file || !ns->is_count_known || ns->count <= n + n / 50 + 10)
		return;
	(void)snprintf(text, sizeof(text),
		       "The kernel counts %" PRIu64 " entries, %" PRIu64
		       " more than the dump showed: expired and not yet collected, or packets on "
		       "their way. They count against max.",
		       ns->count, ns->count - n);
	say(r, "uncollected", ns->count - n, text);
}

static void say_assumed(const struct remarks *r, const struct whatif_answer *a)
{
	uint64_t n = 0;

	for (enum whatif_slot i = 0; i < WHATIF_SLOTS; i++)
		if (whatif_now(a->whatif)->is_assumed[i])
			n += a->outcome.row[i].now;
	if (n > 0)
		say(r, "assumed", n,
		    "No file shows the timeout of some of these entries; this kernel's default is "
		    "taken.");
}

static void say_assumptions(const struct remarks *r, const struct whatif_answer *a)
{
	say_assumed(r, a);
	if (a->is_file)
		say(r, "file", 0,
		    "The entries come from a file; settings, limit and buckets are those of the "
		    "machine looked at (--root), and other namespaces are left out.");
	if (!a->table.is_whole)
		say(r, "cut", 0, "The table was not read to its end: all counts are too low.");
	if (a->then.elsewhere > 0)
		say(r, "elsewhere", (uint64_t)a->then.elsewhere,
		    "The entries of other namespaces are taken to stay as many as they are.");
	if (a->change->growth > 0)
		say(r, "growth", 0,
		    "Growth is taken to multiply the connections of each kind and to leave their "
		    "lengths and pauses as they are. A client so busy that it takes a port again "
		    "while the entry of it waits in TIME_WAIT ends that entry early: then there "
		    "are fewer.");
	if (services_missed(whatif_services(a->whatif)) > 0)
		say(r, "services", services_missed(whatif_services(a->whatif)),
		    "There are more services than are counted one by one; SERVICE is incomplete.");
}

static void say_all(const struct remarks *r, const struct whatif_answer *a)
{
	say_effect(r, a);
	for (enum whatif_slot i = 0; i < WHATIF_SLOTS; i++)
		say_kind(r, i, &a->outcome.row[i]);
	say_certainty(r, a);
	say_count(r, a);
	say_assumptions(r, a);
}

static void write_remarks(struct writer *w, const struct whatif_answer *a)
{
	if (!a->is_json) {
		writer_section(w, NULL, "What to know");
		say_all(&(struct remarks){ w, true }, a);
		writer_end(w);
		return;
	}
	writer_list(w, "remarks", NULL, NULL, 0);
	say_all(&(struct remarks){ w, false }, a);
	writer_end(w);
}

void whatif_write(struct writer *w, struct whatif_answer *a)
{
	writer_begin(w, "whatif", 1);
	write_change(w, a);
	write_level(w, a);
	write_kinds(w, a);
	write_services(w, a);
	write_notrack(w, a);
	whatif_write_breaks(w, a);
	write_remarks(w, a);
}
