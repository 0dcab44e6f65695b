/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Options that depend on one another. Answers to iptables 1.8.9: x6_fcheck functions of the
 * extensions, and the checks of Linux 6.18's net/netfilter/xt_*.c that a restore meets.
 */
#include "lib/ruleset/finish.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct ct_rule_option *slot(const struct ct_rule_ext *e, const char *name)
{
	for (unsigned i = 0; e->def->options[i].name; i++)
		if (strcmp(e->def->options[i].name, name) == 0)
			return &e->option[i];
	return NULL;
}

struct ct_rule_option *ct_ext_given(const struct ct_rule_ext *e, const char *name)
{
	struct ct_rule_option *o = slot(e, name);

	return o && o->def ? o : NULL;
}

static void drop(const struct ct_rule_ext *e, const char *name)
{
	*slot(e, name) = (struct ct_rule_option){ 0 };
}

int ct_ext_give(struct ct_reading *r, struct ct_rule_ext *e, const char *name, const char *value)
{
	struct ct_rule_option *o = slot(e, name);
	char copy[160], *arg[1] = { copy };

	(void)snprintf(copy, sizeof(copy), "%s", value);
	*o = (struct ct_rule_option){ .def = &e->def->options[o - e->option] };
	return o->def->kind ? o->def->kind(r, arg, o) : 0;
}

static int refuse(struct ct_reading *r, const struct ct_rule_ext *e, const char *why)
{
	return ct_err_set(r->err, -EINVAL, "line %u: %s %s", (unsigned)r->line, e->name, why);
}

int ct_finish_cluster(struct ct_reading *r, struct ct_rule *rule, struct ct_rule_ext *e)
{
	(void)rule;
	if (!ct_ext_given(e, "cluster-local-nodemask"))
		return refuse(r, e, "needs --cluster-local-node or --cluster-local-nodemask");
	return 0;
}

int ct_finish_connlimit(struct ct_reading *r, struct ct_rule *rule, struct ct_rule_ext *e)
{
	static const char *const names[] = { "connlimit-above", "connlimit-upto" };
	struct ct_rule_option *mask = ct_ext_given(e, "connlimit-mask");
	uint32_t bits = r->rs->family == CT_FAMILY_IPV6 ? 128 : 32;
	int ret = 0;

	(void)rule;
	if (!ct_ext_given(e, names[0]) == !ct_ext_given(e, names[1]))
		return refuse(r, e, "needs --connlimit-above or --connlimit-upto");
	for (unsigned i = 0; i < 2; i++) {
		struct ct_rule_option *o = ct_ext_given(e, names[i]);

		if (o && o->is_inverted) {
			const char *text = o->text;

			drop(e, names[i]);
			ret = ct_ext_give(r, e, names[!i], text);
			break;
		}
	}
	if (ret == 0 && !mask)
		ret = ct_ext_give(r, e, "connlimit-mask", bits == 128 ? "128" : "32");
	if (ret == 0 && mask && mask->n[0] > bits)
		return refuse(r, e, "has a mask that is too long");
	if (ret == 0 && !ct_ext_given(e, "connlimit-daddr"))
		ret = ct_ext_give(r, e, "connlimit-saddr", "");
	return ret < 0 ? ret : ct_conncount_join(r, e);
}

int ct_finish_connmark(struct ct_reading *r, struct ct_rule *rule, struct ct_rule_ext *e)
{
	struct ct_rule_option *mask = ct_ext_given(e, "mask");
	int n = !!ct_ext_given(e, "set-xmark") + !!ct_ext_given(e, "save-mark") +
		!!ct_ext_given(e, "restore-mark");
	int ret = 0;

	(void)rule;
	if (n != 1)
		return refuse(r, e, "needs one of --set-xmark, --save-mark, --restore-mark");
	if (ct_ext_given(e, "set-xmark"))
		return 0;
	if (mask || !ct_ext_given(e, "nfmask"))
		ret = ct_ext_give(r, e, "nfmask", mask ? mask->text : "0xffffffff");
	if (ret == 0 && (mask || !ct_ext_given(e, "ctmask")))
		ret = ct_ext_give(r, e, "ctmask", mask ? mask->text : "0xffffffff");
	return ret;
}

/* nf_conntrack_helper_try_module_get(): helpers by name and by what they are for. */
static bool helper_is_for(const char *name, uint8_t proto, bool *is_known)
{
	static const struct {
		const char *name;
		uint8_t protos[2];
	} helpers[] = {
		{ "ftp", { 6, 6 } },	     { "tftp", { 17, 17 } },	   { "irc", { 6, 6 } },
		{ "sip", { 17, 6 } },	     { "amanda", { 17, 17 } },	   { "pptp", { 6, 6 } },
		{ "sane", { 6, 6 } },	     { "netbios-ns", { 17, 17 } }, { "snmp", { 17, 17 } },
		{ "H.245", { 6, 6 } },	     { "Q.931", { 6, 6 } },	   { "RAS", { 17, 17 } },
		{ "snmp_trap", { 17, 17 } },
	};

	for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++)
		if (strcmp(helpers[i].name, name) == 0) {
			*is_known = true;
			return helpers[i].protos[0] == proto || helpers[i].protos[1] == proto;
		}
	*is_known = false;
	return false;
}

int ct_finish_ct(struct ct_reading *r, struct ct_rule *rule, struct ct_rule_ext *e)
{
	struct ct_rule_option *helper = ct_ext_given(e, "helper");
	bool is_known, is_for;

	if (ct_ext_given(e, "timeout") && r->rs->is_strict)
		return refuse(r, e, "names a timeout policy that is not known");
	if (!helper || ct_ext_given(e, "notrack"))
		return 0;
	/* xt_ct_set_helper(): the protocol must be there, and be the helper's. */
	if (!rule->proto || rule->flags & CT_RULE_NOT_PROTO)
		return refuse(r, e, "--helper needs a protocol");
	is_for = helper_is_for(helper->text + helper->n[0], rule->proto, &is_known);
	if (is_known && !is_for)
		return refuse(r, e, "--helper is not for this protocol");
	if (!is_known && r->rs->is_strict)
		return refuse(r, e, "names a helper that is not known");
	return 0;
}

static uint32_t seconds_of(const char *rate)
{
	static const struct {
		const char *unit;
		uint32_t seconds;
	} units[] = { { "/d", 86400 }, { "/h", 3600 }, { "/m", 60 }, { "/s", 1 } };

	for (unsigned i = 0; i < 4; i++)
		if (strstr(rate, units[i].unit))
			return units[i].seconds;
	return 1;
}

int ct_finish_hashlimit(struct ct_reading *r, struct ct_rule *rule, struct ct_rule_ext *e)
{
	struct ct_rule_option *upto = ct_ext_given(e, "hashlimit-upto");
	struct ct_rule_option *above = ct_ext_given(e, "hashlimit-above"),
			      *rate = upto ? upto : above;
	struct ct_rule_option *expire = ct_ext_given(e, "hashlimit-htable-expire");
	uint32_t written, expire_ms;
	char text[16];

	(void)rule;
	if (!upto == !above)
		return refuse(r, e, "needs --hashlimit-upto or --hashlimit-above");
	if (rate->is_inverted) {
		struct ct_rule_option copy = *rate;
		const char *other = upto ? "hashlimit-above" : "hashlimit-upto";

		copy.is_inverted = false;
		copy.def = &e->def->options[slot(e, other) - e->option];
		*rate = (struct ct_rule_option){ 0 };
		rate = slot(e, other);
		*rate = copy;
	}
	if (rate->n[2])
		return ct_hashlimit_join(r, e, rate, expire ? expire->n[0] : 15000);
	if (!ct_ext_given(e, "hashlimit-burst") && ct_ext_give(r, e, "hashlimit-burst", "5") < 0)
		return -ENOMEM;
	/* Entries live as long as the unit that was written, unless something else is said; what
	 * is said is written when it differs from the unit that is printed. */
	written = rate->n[3];
	expire_ms = expire ? expire->n[0] : written * 1000;
	if (ct_hashlimit_join(r, e, rate, expire_ms) < 0)
		return -ENOMEM;
	if (expire_ms == seconds_of(rate->text) * 1000) {
		drop(e, "hashlimit-htable-expire");
		return 0;
	}
	(void)snprintf(text, sizeof(text), "%u", (unsigned)expire_ms);
	return ct_ext_give(r, e, "hashlimit-htable-expire", text);
}

/* limit_mt_check(): credits of burst packets must fit in 32 bits. The nft backend, whose limit
 * it is then, knows no such bound. */
int ct_finish_limit(struct ct_reading *r, struct ct_rule *rule, struct ct_rule_ext *e)
{
	const struct ct_rule_option *rate = ct_ext_given(e, "limit"),
				    *burst = ct_ext_given(e, "limit-burst");
	uint64_t period = rate->n[0] | (uint64_t)rate->n[1] << 32;

	(void)rule;
	if (r->rs->is_strict && period * (burst ? burst->n[0] : 5) > UINT32_MAX)
		return refuse(r, e, "is too slow for its burst");
	return 0;
}

static bool has_ports(const struct ct_rule *rule)
{
	static const uint8_t protos[] = { 6, 17, 33, 132 };

	return rule->proto && !(rule->flags & CT_RULE_NOT_PROTO) &&
	       memchr(protos, rule->proto, sizeof(protos));
}

int ct_finish_nat(struct ct_reading *r, struct ct_rule *rule, struct ct_rule_ext *e)
{
	static const char *const names[] = { "to-source", "to-destination", "to-ports" };

	for (unsigned i = 0; i < 3; i++) {
		const struct ct_rule_option *o = ct_ext_given(e, names[i]);
		bool is_port = o && (i == 2 || o->n[3]);

		if (is_port && !has_ports(rule) && !(rule->proto == 1 && i < 2))
			return refuse(r, e, "needs TCP, UDP, SCTP or DCCP with ports");
		if (o && o->is_opaque && r->rs->is_strict)
			return refuse(r, e, "has a port that is not known");
	}
	return 0;
}

int ct_finish_nfqueue(struct ct_reading *r, struct ct_rule *rule, struct ct_rule_ext *e)
{
	(void)rule;
	if (ct_ext_given(e, "queue-balance")) {
		drop(e, "queue-num");
		return 0;
	}
	return ct_ext_given(e, "queue-num") ? 0 : ct_ext_give(r, e, "queue-num", "0");
}

int ct_finish_owner(struct ct_reading *r, struct ct_rule *rule, struct ct_rule_ext *e)
{
	(void)rule;
	if (ct_ext_given(e, "suppl-groups") && !ct_ext_given(e, "gid-owner"))
		return refuse(r, e, "--suppl-groups needs --gid-owner");
	return 0;
}

int ct_finish_recent(struct ct_reading *r, struct ct_rule *rule, struct ct_rule_ext *e)
{
	bool is_ipv6 = r->rs->family == CT_FAMILY_IPV6;
	int n = !!ct_ext_given(e, "set") + !!ct_ext_given(e, "rcheck") +
		!!ct_ext_given(e, "update") + !!ct_ext_given(e, "remove");
	int ret = 0;

	(void)rule;
	if (n != 1)
		return refuse(r, e, "needs one of --set, --rcheck, --update, --remove");
	if (ct_ext_given(e, "reap") && !ct_ext_given(e, "seconds"))
		return refuse(r, e, "--reap needs --seconds");
	if (!ct_ext_given(e, "mask"))
		ret = ct_ext_give(r, e, "mask",
				  is_ipv6 ? "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
					  : "255.255.255.255");
	if (ret == 0 && !ct_ext_given(e, "rdest"))
		ret = ct_ext_give(r, e, "rsource", "");
	if (ret < 0)
		return ret;
	return ct_recent_join(r, e, ct_ext_given(e, "name")->text,
			      ct_ext_given(e, "hitcount") ? ct_ext_given(e, "hitcount")->n[0] : 0);
}

int ct_finish_reject(struct ct_reading *r, struct ct_rule *rule, struct ct_rule_ext *e)
{
	const struct ct_rule_option *with = ct_ext_given(e, "reject-with");

	/* reject_tg_check(): a reset answers TCP only. */
	if (strcmp(with->text, "tcp-reset") == 0 &&
	    (rule->proto != 6 || rule->flags & CT_RULE_NOT_PROTO))
		return refuse(r, e, "--reject-with tcp-reset needs TCP");
	return 0;
}

int ct_finish_statistic(struct ct_reading *r, struct ct_rule *rule, struct ct_rule_ext *e)
{
	bool is_nth = ct_ext_given(e, "mode")->n[0] == 1;
	const struct ct_rule_option *every = ct_ext_given(e, "every"),
				    *packet = ct_ext_given(e, "packet");

	(void)rule;
	if (!is_nth)
		return ct_ext_given(e, "probability") ? 0 : refuse(r, e, "needs --probability");
	if (!every || every->n[0] == 0)
		return refuse(r, e, "needs --every, of 1 or more");
	if (!packet && r->rs->is_strict)
		return refuse(r, e, "needs --packet");
	if (!packet)
		return ct_ext_give(r, e, "packet", "0");
	return packet->n[0] >= every->n[0] ? refuse(r, e, "--packet must be below --every") : 0;
}

/* is_hex_string() of libxt_string.c */
static bool is_printable(const uint8_t *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] < ' ' || s[i] > '~')
			return false;
	return len > 0 && s[len - 1] != '\\';
}

/* However a pattern was given, it is written as text when it can be printed. */
int ct_finish_string(struct ct_reading *r, struct ct_rule *rule, struct ct_rule_ext *e)
{
	const struct ct_rule_option *hex = ct_ext_given(e, "hex-string");
	bool is_inverted = hex && hex->is_inverted;
	char text[129];
	int ret;

	(void)rule;
	if (!ct_ext_given(e, "string") == !hex)
		return refuse(r, e, "needs --string or --hex-string");
	if (!hex || !is_printable(hex->data, hex->n[0]))
		return 0;
	memcpy(text, hex->data, hex->n[0]);
	text[hex->n[0]] = '\0';
	drop(e, "hex-string");
	ret = ct_ext_give(r, e, "string", text);
	ct_ext_given(e, "string")->is_inverted = is_inverted;
	return ret;
}

/* All bits of no flags are always so: nothing is asked. */
int ct_finish_tcp(struct ct_reading *r, struct ct_rule *rule, struct ct_rule_ext *e)
{
	(void)rule;
	if (ct_ext_given(e, "tcp-option") && ct_ext_given(e, "tcp-option")->n[0] == 0)
		return refuse(r, e, "has no option 0");
	return 0;
}

int ct_finish_tcpmss(struct ct_reading *r, struct ct_rule *rule, struct ct_rule_ext *e)
{
	/* tcpmss_tg4_check(): only with a match for SYN. */
	for (const struct ct_rule_ext *m = rule->match; m; m = m->next) {
		const struct ct_rule_option *o;

		if (m->is_opaque)
			return 0;
		if (strcmp(m->name, "tcp") != 0)
			continue;
		o = slot(m, "tcp-flags");
		if (o->def && !o->is_inverted && o->n[0] & 2 && o->n[1] & 2)
			return 0;
	}
	return refuse(r, e, "only works on SYN packets");
}

int ct_finish_time(struct ct_reading *r, struct ct_rule *rule, struct ct_rule_ext *e)
{
	int ret = 0;

	(void)rule;
	if (ct_ext_given(e, "timestart") && !ct_ext_given(e, "timestop"))
		ret = ct_ext_give(r, e, "timestop", "23:59:59");
	else if (ct_ext_given(e, "timestop") && !ct_ext_given(e, "timestart"))
		ret = ct_ext_give(r, e, "timestart", "00:00:00");
	/* All days are no choice. */
	if (ct_ext_given(e, "weekdays") && ct_ext_given(e, "weekdays")->n[0] == 0xfe)
		drop(e, "weekdays");
	if (ct_ext_given(e, "monthdays") && ct_ext_given(e, "monthdays")->n[0] == 0xfffffffe)
		drop(e, "monthdays");
	return ret;
}

int ct_finish_tproxy(struct ct_reading *r, struct ct_rule *rule, struct ct_rule_ext *e)
{
	if (rule->proto != 6 && rule->proto != 17)
		return refuse(r, e, "needs TCP or UDP");
	if (ct_ext_given(e, "on-ip"))
		return 0;
	return ct_ext_give(r, e, "on-ip", r->rs->family == CT_FAMILY_IPV6 ? "::" : "0.0.0.0");
}
