/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Statements that do something to the packet or its connection. Answers to Linux 6.18,
 * net/netfilter/nft_meta.c, nft_ct.c, nft_payload.c, nft_reject_inet.c, nft_compat.c.
 */
#include <errno.h>
#include <string.h>

#include "lib/ruleset/nft/expr.h"
#include "lib/ruleset/nft/stmt.h"

static enum ct_nft_step end(struct ct_nft_judging *j, enum ct_nft_code code)
{
	j->verdict = (struct ct_nft_verdict){ .code = (uint8_t)code };
	return CT_NFT_END;
}

static enum ct_nft_step run_nothing(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	(void)s;
	(void)j;
	return CT_NFT_ON;
}

int ct_nft_read_nothing(struct ct_nft_reading *r, struct ct_value *v, struct ct_nft_stmt *s)
{
	(void)r;
	(void)v;
	s->run = run_nothing;
	return 0;
}

/* What happens is not known, but the rule goes on. */
static enum ct_nft_step run_effect(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	if (!j->doubt)
		j->doubt = s->name;
	return CT_NFT_ON;
}

int ct_nft_read_effect(struct ct_nft_reading *r, struct ct_value *v, struct ct_nft_stmt *s)
{
	(void)v;
	r->rule->is_opaque = true;
	s->run = run_effect;
	return 0;
}

/* Setting ----------------------------------------------------------------------------------- */

enum mangle { MANGLE_META_MARK, MANGLE_CT_MARK, MANGLE_ZONE, MANGLE_FIELD };

/* nft_ct_set_zone_eval(): nothing for a packet that has an entry or a template. */
static void set_zone(struct ct_nft_stmt *s, struct ct_nft_judging *j, uint64_t zone)
{
	if (j->p->entry || j->out->is_notrack || j->out->has_zone ||
	    j->p->packet->info == CT_INFO_UNTRACKED)
		return;
	j->out->has_zone = true;
	j->out->zone_dir = s->proto;
	j->out->zone = (uint16_t)zone;
}

static enum ct_nft_step run_mangle(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	struct ct_nft_data v = { .size = 0 };
	enum ct_truth is_there = ct_nft_load(s->right, j, &v);
	uint64_t n;

	if (is_there == CT_NO)
		return CT_NFT_BREAK;
	if (is_there == CT_UNSURE)
		return CT_NFT_ON;
	n = ct_nft_number(v.bytes, v.size);
	switch ((enum mangle)s->op) {
	case MANGLE_META_MARK:
		j->out->mark = (uint32_t)n;
		break;
	case MANGLE_CT_MARK:
		if (j->p->entry) {
			j->out->has_connmark = true;
			j->out->connmark = (uint32_t)n;
		}
		break;
	case MANGLE_ZONE:
		set_zone(s, j, n);
		break;
	case MANGLE_FIELD:
		/* The packet itself stays as it is: that matters when a rule looks there. */
		if (ct_nft_is_asked(j->nft, s->left) && !j->doubt)
			j->doubt = s->name;
		break;
	}
	return CT_NFT_ON;
}

/* A header's field; the packet must be one that has it. */
static enum ct_nft_step run_field(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	struct ct_nft_data old = { .size = 0 };

	return ct_nft_load(s->left, j, &old) == CT_NO ? CT_NFT_BREAK : run_mangle(s, j);
}

/* Which keys may be set without anybody being able to tell: what is judged never asks for them. */
static bool is_never_asked(const struct ct_value *key)
{
	static const char *const names[] = { "priority", "nftrace", "secmark", "label", "event" };
	const char *name = ct_value_get_str(key->first, "key");

	for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return strcmp(key->first->key, "tcp option") == 0;
}

static int op_of(const struct ct_value *key)
{
	const char *name = ct_value_get_str(key->first, "key");

	if (strcmp(key->first->key, "payload") == 0)
		return MANGLE_FIELD;
	if (!name)
		return -EINVAL;
	if (strcmp(name, "mark") == 0)
		return key->first->key[0] == 'm' ? MANGLE_META_MARK : MANGLE_CT_MARK;
	return strcmp(name, "zone") == 0 ? MANGLE_ZONE : -EINVAL;
}

int ct_nft_read_mangle(struct ct_nft_reading *r, struct ct_value *v, struct ct_nft_stmt *s)
{
	const struct ct_value *key = ct_value_get(v, "key"), *value = ct_value_get(v, "value");
	const char *dir;
	int op;

	if (!key || key->type != CT_VALUE_OBJECT || key->len != 1 || !value)
		return -EINVAL;
	if (is_never_asked(key)) {
		s->run = run_nothing;
		return 0;
	}
	r->is_writing = true;
	s->left = ct_nft_expr_read(r, key, NULL);
	r->is_writing = false;
	op = op_of(key);
	if (!s->left)
		return -ENOMEM;
	s->name = ct_nft_label(r, s->left->name, "set");
	if (op < 0 || ct_nft_expr_is_opaque(s->left))
		return ct_nft_read_effect(r, v, s);
	s->op = (uint8_t)op;
	s->right = ct_nft_expr_read(r, value, &s->left->shape);
	if (!s->right)
		return -ENOMEM;
	dir = ct_value_get_str(key->first, "dir");
	s->proto = !dir ? CT_ZONE_BOTH : dir[0] == 'o' ? CT_ZONE_ORIG : CT_ZONE_REPLY;
	s->run = op == MANGLE_FIELD ? run_field : run_mangle;
	return 0;
}

/* nft_notrack_eval() */
static enum ct_nft_step run_notrack(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	(void)s;
	if (!j->p->entry && !j->out->has_zone)
		j->out->is_notrack = true;
	return CT_NFT_ON;
}

int ct_nft_read_notrack(struct ct_nft_reading *r, struct ct_value *v, struct ct_nft_stmt *s)
{
	(void)r;
	(void)v;
	s->run = run_notrack;
	return 0;
}

/* nft_ct_helper_obj_eval(): a new entry of the helper's protocol gets it. */
static enum ct_nft_step run_helper(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	const struct ct_entry *en = j->p->entry;

	if (en && !(en->status & CT_STATUS_CONFIRMED) && en->tuple[0].proto == s->proto &&
	    (!s->family || en->tuple[0].family == s->family))
		j->out->helper = s->text;
	return CT_NFT_ON;
}

static uint8_t family_of(const char *name)
{
	if (!name || strcmp(name, "inet") == 0)
		return 0;
	return strcmp(name, "ip6") == 0 ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;
}

int ct_nft_read_helper(struct ct_nft_reading *r, struct ct_value *v, struct ct_nft_stmt *s)
{
	const char *name = ct_value_str(v), *proto;
	const struct ct_value *object =
		name ? ct_nft_find(r->nft, r->table, "ct helper", name) : NULL;

	proto = ct_value_get_str(object, "protocol");
	s->text = ct_value_get_str(object, "type");
	if (!proto || !s->text)
		return -EINVAL;
	s->proto = strcmp(proto, "tcp") == 0 ? 6 : 17;
	s->family = family_of(ct_value_get_str(object, "l3proto"));
	s->run = run_helper;
	return 0;
}

/* Ends -------------------------------------------------------------------------------------- */

static enum ct_nft_step run_reject(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	if ((s->family && s->family != j->family) ||
	    (s->proto && (!j->has_proto || j->proto != s->proto)))
		return CT_NFT_BREAK;
	return end(j, CT_NFT_REJECT);
}

/* The kind of the answer says which packets there are answers to. */
int ct_nft_read_reject(struct ct_nft_reading *r, struct ct_value *v, struct ct_nft_stmt *s)
{
	const char *type = ct_value_get_str(v, "type");

	(void)r;
	if (type && strcmp(type, "tcp reset") == 0)
		s->proto = 6;
	else if (type && strcmp(type, "icmp") == 0)
		s->family = CT_FAMILY_IPV4;
	else if (type && strcmp(type, "icmpv6") == 0)
		s->family = CT_FAMILY_IPV6;
	s->run = run_reject;
	return 0;
}

static enum ct_nft_step run_queue(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	(void)s;
	return end(j, CT_NFT_QUEUE);
}

int ct_nft_read_queue(struct ct_nft_reading *r, struct ct_value *v, struct ct_nft_stmt *s)
{
	(void)r;
	(void)v;
	s->run = run_queue;
	return 0;
}

/* Extensions of iptables-nft, of which a listing says the name only --------------------------- */

enum xt { XT_PASS, XT_NAT, XT_REJECT };

static enum ct_nft_step run_xt(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	if (s->op == XT_REJECT)
		return end(j, CT_NFT_REJECT);
	j->out->nat = j->doubt = s->text;
	return end(j, CT_NFT_ACCEPT);
}

int ct_nft_read_xt(struct ct_nft_reading *r, struct ct_value *v, struct ct_nft_stmt *s)
{
	static const struct {
		const char *type, *name;
		enum xt xt;
	} known[] = {
		{ "match", "comment", XT_PASS },   { "target", "LOG", XT_PASS },
		{ "target", "NFLOG", XT_PASS },	   { "target", "TRACE", XT_PASS },
		{ "target", "REJECT", XT_REJECT }, { "target", "MASQUERADE", XT_NAT },
		{ "target", "SNAT", XT_NAT },	   { "target", "DNAT", XT_NAT },
		{ "target", "REDIRECT", XT_NAT },  { "target", "NETMAP", XT_NAT },
	};
	const char *type = ct_value_get_str(v, "type"), *name = ct_value_get_str(v, "name");

	if (!type || !name)
		return -EINVAL;
	s->name = ct_nft_label(r, type, name);
	s->text = name;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].type, type) != 0 || strcmp(known[i].name, name) != 0)
			continue;
		if (known[i].xt == XT_PASS)
			s->flags = CT_NFT_WATCH;
		s->op = (uint8_t)known[i].xt;
		s->run = known[i].xt == XT_PASS ? run_nothing : run_xt;
		return 0;
	}
	return strcmp(type, "target") == 0 ? ct_nft_read_effect(r, v, s) : -EINVAL;
}
