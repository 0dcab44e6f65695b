/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A context of reassembly: its life, settings and clock. See include/conntune/defrag.h.
 */
#include "lib/packet/defrag.h"

#include <errno.h>
#include <string.h>

/* What an empty queue is charged, inet_frags.qsize: sizeof(struct ipq), of struct frag_queue. */
enum { QUEUE_CHARGE_IPV4 = 200, QUEUE_CHARGE_IPV6 = 184 };

static const struct {
	const char *name;
	size_t offset;
	uint64_t standard, highest;
} setting_list[] = {
#define DEFRAG_SETTING(field, text, value, top)                                                    \
	{ text, offsetof(struct ct_defrag_settings, field), value, top },
#include <conntune/defrag_setting.def>
#undef DEFRAG_SETTING
};
#define N_SETTINGS (sizeof(setting_list) / sizeof(setting_list[0]))

static uint64_t *setting_at(struct ct_defrag_settings *s, size_t offset)
{
	return (uint64_t *)(void *)((char *)s + offset);
}

void ct_defrag_config_default(struct ct_defrag_config *cfg)
{
	*cfg = (struct ct_defrag_config){ .seed = { 0 } };
	for (size_t i = 0; i < N_SETTINGS; i++)
		*setting_at(&cfg->settings, setting_list[i].offset) = setting_list[i].standard;
}

static bool is_name(const char *want, const char *name, size_t len)
{
	const char *bare = strrchr(want, '.') + 1;

	if (strlen(want) != len)
		return strlen(bare) == len && memcmp(bare, name, len) == 0;
	for (size_t i = 0; i < len; i++)
		if (name[i] != want[i] && !(want[i] == '.' && name[i] == '/'))
			return false;
	return true;
}

int ct_defrag_setting_find(struct ct_defrag_settings *s, const char *name, size_t len,
			   uint64_t **value, uint64_t *highest)
{
	for (size_t i = 0; i < N_SETTINGS; i++) {
		if (!is_name(setting_list[i].name, name, len))
			continue;
		*value = setting_at(s, setting_list[i].offset);
		*highest = setting_list[i].highest;
		return 0;
	}
	return -ENOENT;
}

struct ct_defrag *ct_defrag_new(const struct ct_defrag_config *cfg, struct ct_err *err)
{
	struct ct_defrag begin = { .cfg = *cfg }, *d = ct_defrag_alloc(&begin, sizeof(*d));

	if (!d) {
		(void)ct_err_set(err, -ENOMEM, "no memory for the queues of fragments");
		return NULL;
	}
	*d = begin;
	d->whole = ct_defrag_alloc(d, DEFRAG_MAX);
	if (!d->whole) {
		ct_defrag_free(d);
		(void)ct_err_set(err, -ENOMEM, "no memory for the queues of fragments");
		return NULL;
	}
	memcpy(d->key, cfg->seed, sizeof(d->key));
	d->dirs[DEFRAG_IPV4].high_thresh = cfg->settings.ip_high_thresh;
	d->dirs[DEFRAG_IPV4].timeout = (ct_time)cfg->settings.ip_time * CT_NS_PER_S;
	d->dirs[DEFRAG_IPV4].queue_charge = QUEUE_CHARGE_IPV4;
	d->dirs[DEFRAG_IPV6].high_thresh = cfg->settings.frag6_high_thresh;
	d->dirs[DEFRAG_IPV6].timeout = (ct_time)cfg->settings.frag6_timeout * CT_NS_PER_S;
	d->dirs[DEFRAG_IPV6].queue_charge = QUEUE_CHARGE_IPV6;
	return d;
}

void ct_defrag_free(struct ct_defrag *d)
{
	struct ct_defrag end;

	if (!d)
		return;
	for (unsigned i = 0; i < DEFRAG_FAMILIES; i++)
		while (d->dirs[i].oldest)
			ct_defrag_kill(d, d->dirs[i].oldest);
	ct_defrag_release(d, d->queues.slots, d->queues.n_slots * sizeof(struct defrag_node *));
	ct_defrag_release(d, d->peers.slots, d->peers.n_slots * sizeof(struct defrag_node *));
	ct_defrag_release(d, d->whole, DEFRAG_MAX);
	end = *d;
	ct_defrag_release(&end, d, sizeof(*d));
}

uint8_t ct_defrag_ecn(uint8_t seen)
{
	enum { NOT_ECT = 1, ECT_1 = 2, ECT_0 = 4, CE = 8 };

	if ((seen & NOT_ECT) && seen != NOT_ECT)
		return ECN_SPOILED;
	return (seen & CE) && (seen & (ECT_0 | ECT_1)) ? 3 : 0;
}

void ct_defrag_key_begin(struct defrag_key *key, const struct ct_packet *p, uint8_t family)
{
	/* A template counts as of the original direction. */
	bool has_zone = p->zone_dir == 0 || (p->zone_dir & 1);

	*key = (struct defrag_key){ .hook = p->hook,
				    .family = family,
				    .zone = has_zone ? p->zone : 0 };
}

void ct_defrag_advance(struct ct_defrag *d, ct_time now)
{
	if (!d->is_begun || now > d->now)
		d->now = now;
	d->is_begun = true;
	for (unsigned i = 0; i < DEFRAG_FAMILIES; i++) {
		struct defrag_dir *dir = &d->dirs[i];

		/* ip_expire(), nf_ct_frag6_expire() */
		while (dir->oldest && dir->oldest->deadline <= d->now) {
			dir->stats.timeouts++;
			dir->stats.fails++;
			ct_defrag_kill(d, dir->oldest);
		}
	}
}

ct_time ct_defrag_expiry(const struct ct_defrag *d)
{
	ct_time at = CT_TIME_NONE;

	for (unsigned i = 0; i < DEFRAG_FAMILIES; i++)
		if (d->dirs[i].oldest && d->dirs[i].oldest->deadline < at)
			at = d->dirs[i].oldest->deadline;
	return at;
}

enum ct_defrag_result ct_defrag_in(struct ct_defrag *d, struct ct_packet *p, ct_time now)
{
	ct_defrag_advance(d, now);
	if ((p->flags & CT_PACKET_UNTRACKED) || p->size < 20)
		return CT_DEFRAG_PASS;
	if (p->data[0] >> 4 == 4)
		return ct_defrag_ipv4(d, p);
	if (p->data[0] >> 4 == 6 && p->size >= 40)
		return ct_defrag_ipv6(d, p);
	return CT_DEFRAG_PASS;
}

void ct_defrag_stats(const struct ct_defrag *d, enum ct_family family, struct ct_defrag_stats *out)
{
	const struct defrag_dir *dir =
		&d->dirs[family == CT_FAMILY_IPV6 ? DEFRAG_IPV6 : DEFRAG_IPV4];

	*out = dir->stats;
	out->charged_bytes = dir->charge;
	out->memory_bytes = d->memory_bytes;
}
