/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A change out of words.
 */
#include "ops/whatif/change.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "tap.h"

static struct change c;
static struct ct_err err;

static void fresh(void)
{
	memset(&c, 0, sizeof(c));
	err.text[0] = '\0';
}

static struct ct_entry tcp(uint16_t sport, uint16_t dport)
{
	struct ct_entry e = { .known = CT_KNOWN_FAMILY | CT_KNOWN_PARTS };

	e.tuple[0].family = CT_FAMILY_IPV4;
	e.tuple[0].proto = IPPROTO_TCP;
	e.tuple[0].src.ip4 = htonl(0x0a000001);
	e.tuple[0].dst.ip4 = htonl(0x0a000002);
	e.tuple[0].src_part = htons(sport);
	e.tuple[0].dst_part = htons(dport);
	(void)ct_tuple_invert(&e.tuple[1], &e.tuple[0]);
	return e;
}

TEST(settings_by_any_spelling)
{
	fresh();
	EQ_INT(change_add_set(&c, "nf_conntrack_tcp_timeout_established=2h", &err), 0);
	EQ_INT(change_add_set(&c, "net.netfilter.nf_conntrack_max=1000", &err), 0);
	EQ_INT(change_add_set(&c, "nf_conntrack.hashsize=512", &err), 0);
	EQ_INT(change_find(&c, "nf_conntrack_tcp_timeout_established")->value, 7200);
	EQ_INT(change_find(&c, "nf_conntrack_max")->value, 1000);
	EQ_INT(change_find(&c, "nf_conntrack_buckets")->value, 512);
	EQ_INT(change_add_set(&c, "nf_conntrack_max=2", &err), -EINVAL);
	EQ_STR(err.text, "nf_conntrack_max is set twice");
}

TEST(a_wrong_name_gets_the_nearest_one)
{
	fresh();
	EQ_INT(change_add_set(&c, "nf_conntrack_tcp_timout_close=3", &err), -ENOENT);
	EQ_STR(err.text, "no setting is called 'nf_conntrack_tcp_timout_close'; the nearest is "
			 "nf_conntrack_tcp_timeout_close");
	EQ_INT(change_add_set(&c, "tcp_timeout_time_wait=3", &err), -ENOENT);
	OK(strstr(err.text, "nearest is nf_conntrack_tcp_timeout_time_wait"));
	EQ_INT(change_add_set(&c, "nf_conntrack_acct=1", &err), -EOPNOTSUPP);
	EQ_INT(change_add_set(&c, "nf_conntrack_max", &err), -EINVAL);
	EQ_INT(change_add_set(&c, "=5", &err), -EINVAL);
	EQ_INT(change_add_set(&c, "nf_conntrack_max=many", &err), -EINVAL);
	EQ_INT(change_add_set(&c, "nf_conntrack_udp_timeout=0", &err), -EINVAL);
	OK(change_add_set(&c, "nf_conntrack_udp_timeout=99999999999", &err) < 0);
	EQ_INT(c.n_sets, 0);
}

TEST(what_is_not_tracked_is_meant_in_either_direction)
{
	struct ct_entry e = tcp(40000, 6379), back = tcp(6379, 40000), other = tcp(40000, 80);

	fresh();
	EQ_INT(change_add_notrack(&c, "tcp dport 6379", &err), 0);
	OK(change_untracks(&c, 0, &e));
	OK(change_untracks(&c, 0, &back)); /* picked up by a packet of the answer */
	OK(!change_untracks(&c, 0, &other));
	EQ_INT(change_add_notrack(&c, "  dst 10.0.0.0/24   dport 80-81 ", &err), 0);
	OK(change_untracks(&c, 1, &other) && !change_untracks(&c, 1, &e));
	EQ_INT(c.n_notrack, 2);
}

TEST(conditions_that_no_rule_can_have_are_refused)
{
	fresh();
	EQ_INT(change_add_notrack(&c, "", &err), -EINVAL);
	EQ_INT(change_add_notrack(&c, "tcp dport", &err), -EINVAL);
	EQ_INT(change_add_notrack(&c, "tcp state ESTABLISHED", &err), -EINVAL);
	EQ_INT(change_add_notrack(&c, "tcp dport 99999", &err), -EINVAL);
	EQ_INT(change_add_notrack(&c, "tcp udp", &err), -EINVAL);
	EQ_INT(c.n_notrack, 0);
}

TEST(growth_in_three_spellings)
{
	fresh();
	EQ_INT(change_set_growth(&c, "3x", &err), 0);
	OK(c.growth == 3);
	EQ_INT(change_set_growth(&c, "+20%", &err), 0);
	OK(c.growth > 1.199 && c.growth < 1.201);
	EQ_INT(change_set_growth(&c, "0.5", &err), 0);
	OK(c.growth == 0.5);
	EQ_INT(change_set_growth(&c, "0x", &err), -EINVAL);
	EQ_INT(change_set_growth(&c, "-1", &err), -EINVAL);
	EQ_INT(change_set_growth(&c, "+3", &err), -EINVAL);
	EQ_INT(change_set_growth(&c, "3y", &err), -EINVAL);
	EQ_INT(change_set_growth(&c, "1e9", &err), -EINVAL);
	EQ_INT(change_set_growth(&c, "", &err), -EINVAL);
}

TAP_MAIN(&tap_settings_by_any_spelling, &tap_a_wrong_name_gets_the_nearest_one,
	 &tap_what_is_not_tracked_is_meant_in_either_direction,
	 &tap_conditions_that_no_rule_can_have_are_refused, &tap_growth_in_three_spellings)
