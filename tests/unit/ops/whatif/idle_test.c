/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which clock an entry ran on, and whether it would stand under another.
 */
#include "ops/whatif/idle.h"

#include <netinet/in.h>

#include "tap.h"

static struct whatif_timeouts kernel(void)
{
	struct whatif_timeouts t = { .max_retrans_s = 300 };

	t.s[WHATIF_TCP_SYN_SENT] = 120;
	t.s[WHATIF_TCP_ESTABLISHED] = 432000;
	t.s[WHATIF_TCP_UNACKED] = 300;
	t.s[WHATIF_TCP_TIME_WAIT] = 120;
	t.s[WHATIF_UDP] = 30;
	t.s[WHATIF_UDP_STREAM] = 120;
	t.s[WHATIF_GENERIC] = 600;
	return t;
}

static struct ct_entry entry(uint8_t proto, uint32_t timeout_s)
{
	struct ct_entry e = { .known = CT_KNOWN_STATUS | CT_KNOWN_TIMEOUT,
			      .status = CT_STATUS_SEEN_REPLY | CT_STATUS_ASSURED,
			      .timeout_s = timeout_s };

	e.tuple[0].proto = e.tuple[1].proto = proto;
	return e;
}

static struct ct_entry tcp(enum ct_tcp_state state, uint32_t timeout_s)
{
	struct ct_entry e = entry(IPPROTO_TCP, timeout_s);

	e.known |= CT_KNOWN_STATE | CT_KNOWN_TCP;
	e.state = (uint8_t)state;
	return e;
}

static struct whatif_idle judge(const struct ct_entry *e, enum whatif_slot slot, uint32_t then_s)
{
	struct whatif_timeouts now = kernel(), then = now;
	struct whatif_idle out;

	then.s[slot] = then_s;
	whatif_idle_of(e, &now, &then, &out);
	return out;
}

TEST(idle_is_timeout_less_what_remains)
{
	struct ct_entry e = tcp(CT_TCP_TIME_WAIT, 119);
	struct whatif_idle i = judge(&e, WHATIF_TCP_TIME_WAIT, 30);

	EQ_INT(i.slot, WHATIF_TCP_TIME_WAIT);
	EQ_INT(i.certainty, WHATIF_SURE);
	EQ_INT(i.idle_s, 0);
	OK(i.stands);
	/* 90 s and a fraction remain: idle for less than 30 s; 89 and a fraction: for more */
	e.timeout_s = 90;
	i = judge(&e, WHATIF_TCP_TIME_WAIT, 30);
	EQ_INT(i.idle_s, 29);
	OK(i.stands);
	e.timeout_s = 89;
	OK(!judge(&e, WHATIF_TCP_TIME_WAIT, 30).stands);
	/* refreshed in this very tick; and about to go */
	e.timeout_s = 120;
	EQ_INT(judge(&e, WHATIF_TCP_TIME_WAIT, 30).idle_s, 0);
	e.timeout_s = 0;
	EQ_INT(judge(&e, WHATIF_TCP_TIME_WAIT, 30).idle_s, 119);
	OK(judge(&e, WHATIF_TCP_TIME_WAIT, 120).stands);
}

TEST(udp_has_two_timeouts)
{
	struct ct_entry e = entry(IPPROTO_UDP, 100);

	EQ_INT(judge(&e, WHATIF_UDP, 5).slot, WHATIF_UDP_STREAM);
	e.status = CT_STATUS_SEEN_REPLY;
	e.timeout_s = 20;
	EQ_INT(judge(&e, WHATIF_UDP, 5).slot, WHATIF_UDP);
	EQ_INT(judge(&e, WHATIF_UDP, 5).idle_s, 9);
	OK(!judge(&e, WHATIF_UDP, 5).stands);
}

TEST(data_not_acknowledged_runs_on_the_shorter_clock)
{
	struct ct_entry e = tcp(CT_TCP_ESTABLISHED, 290);
	struct whatif_idle i;

	e.tcp_flags[1] = 0x10;
	i = judge(&e, WHATIF_TCP_ESTABLISHED, 3600);
	EQ_INT(i.slot, WHATIF_TCP_UNACKED);
	EQ_INT(i.idle_s, 9);
	OK(i.stands);
	/* when the state's own timeout becomes the shorter one, it counts */
	i = judge(&e, WHATIF_TCP_ESTABLISHED, 5);
	EQ_INT(i.then_s, 5);
	OK(!i.stands);
	/* picked up without an answer: the same clock */
	e = tcp(CT_TCP_ESTABLISHED, 290);
	e.status = 0;
	EQ_INT(judge(&e, WHATIF_TCP_ESTABLISHED, 3600).slot, WHATIF_TCP_UNACKED);
}

TEST(two_clocks_when_little_remains)
{
	struct ct_entry e = tcp(CT_TCP_ESTABLISHED, 200);
	struct whatif_idle i = judge(&e, WHATIF_TCP_ESTABLISHED, 3600);

	/* nothing unacknowledged: silent for five days, or repeated segments */
	EQ_INT(i.certainty, WHATIF_EITHER);
	OK(!i.stands && i.stands_otherwise);
	/* a listing does not show the flags: more likely a busy one */
	e.known &= ~(uint32_t)CT_KNOWN_TCP;
	i = judge(&e, WHATIF_TCP_ESTABLISHED, 3600);
	EQ_INT(i.certainty, WHATIF_EITHER);
	OK(i.stands && !i.stands_otherwise);
	/* with more time left there is one answer */
	e.timeout_s = 400000;
	i = judge(&e, WHATIF_TCP_ESTABLISHED, 3600);
	EQ_INT(i.certainty, WHATIF_SURE);
	EQ_INT(i.idle_s, 31999);
	OK(!i.stands && !i.stands_otherwise);
	/* states whose timeout is the shorter one anyway have one clock */
	e = tcp(CT_TCP_TIME_WAIT, 20);
	EQ_INT(judge(&e, WHATIF_TCP_TIME_WAIT, 30).certainty, WHATIF_SURE);
}

TEST(where_the_inversion_does_not_hold)
{
	struct ct_entry e = tcp(CT_TCP_TIME_WAIT, 500);

	EQ_INT(judge(&e, WHATIF_TCP_TIME_WAIT, 1).certainty, WHATIF_LONGER);
	OK(judge(&e, WHATIF_TCP_TIME_WAIT, 1).stands);
	e = tcp(CT_TCP_ESTABLISHED, 100);
	e.status |= CT_STATUS_FIXED_TIMEOUT;
	EQ_INT(judge(&e, WHATIF_TCP_ESTABLISHED, 1).certainty, WHATIF_FIXED);
	e.status = CT_STATUS_SEEN_REPLY | CT_STATUS_ASSURED | CT_STATUS_OFFLOAD;
	EQ_INT(judge(&e, WHATIF_TCP_ESTABLISHED, 1).certainty, WHATIF_OFFLOAD);
	e = tcp(CT_TCP_NONE, 100);
	EQ_INT(judge(&e, WHATIF_TCP_ESTABLISHED, 1).slot, WHATIF_UNKNOWN);
	EQ_INT(judge(&e, WHATIF_TCP_ESTABLISHED, 1).certainty, WHATIF_UNAGED);
	e = tcp(CT_TCP_ESTABLISHED, 100);
	e.known &= ~(uint32_t)CT_KNOWN_TIMEOUT;
	EQ_INT(judge(&e, WHATIF_TCP_ESTABLISHED, 1).certainty, WHATIF_UNAGED);
	OK(judge(&e, WHATIF_TCP_ESTABLISHED, 1).stands);
}

TAP_MAIN(&tap_idle_is_timeout_less_what_remains, &tap_udp_has_two_timeouts,
	 &tap_data_not_acknowledged_runs_on_the_shorter_clock, &tap_two_clocks_when_little_remains,
	 &tap_where_the_inversion_does_not_hold)
