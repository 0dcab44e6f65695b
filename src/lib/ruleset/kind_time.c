/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Kinds of values that are rates, chances and times. Answers to iptables 1.8.9, libxt_limit.c,
 * libxt_hashlimit.c, libxt_statistic.c, libxt_time.c, libxt_RATEEST.c.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/base/number.h"
#include "lib/ruleset/ext.h"

/* Rates: a number of packets per unit, kept by the kernel as the time between two of them in
 * parts of a second, and written in the largest unit that still says it. -------------------- */

static const struct unit {
	const char *name; /* may be cut after its first letter */
	const char *written;
	uint32_t seconds;
} units[] = {
	{ "day", "day", 86400 },
	{ "hour", "hour", 3600 },
	{ "minute", "min", 60 },
	{ "second", "sec", 1 },
};

#define N_UNITS (sizeof(units) / sizeof(units[0]))

/* "5/minute" as the time between two packets, in 1/@scale s, and the unit that was written.
 * -EINVAL when it is too fast. */
static int read_rate(const char *s, uint64_t scale, uint64_t *period, uint32_t *unit_s)
{
	const char *slash = strchr(s, '/');
	uint64_t rate, seconds = 1;

	if (ct_number_u64(s, slash ? (size_t)(slash - s) : strlen(s), UINT32_MAX, &rate) < 0 ||
	    rate == 0)
		return -EINVAL;
	if (slash) {
		size_t len = strlen(slash + 1), n = 0;

		while (n < N_UNITS && (len == 0 || strlen(units[n].name) < len ||
				       strncasecmp(units[n].name, slash + 1, len) != 0))
			n++;
		if (n == N_UNITS)
			return -EINVAL;
		seconds = units[n].seconds;
	}
	if (rate / seconds > scale)
		return -EINVAL;
	*period = scale * seconds / rate;
	*unit_s = (uint32_t)seconds;
	return *period ? 0 : -EINVAL;
}

static void put_rate(struct ct_text *t, uint64_t scale, uint64_t period)
{
	size_t i = 1;

	for (; i < N_UNITS; i++) {
		uint64_t unit = scale * units[i].seconds;

		if (period > unit || unit / period < unit % period)
			break;
	}
	ct_text_u64(t, scale * units[i - 1].seconds / period);
	ct_text_char(t, '/');
	ct_text_str(t, units[i - 1].written);
}

static int rate(struct ct_reading *r, const char *s, uint64_t scale, struct ct_rule_option *o)
{
	uint64_t period;
	struct ct_text t;
	char out[32];

	if (read_rate(s, scale, &period, &o->n[3]) < 0)
		return -EINVAL;
	o->n[0] = (uint32_t)period;
	o->n[1] = (uint32_t)(period >> 32);
	ct_text_init(&t, out, sizeof(out));
	put_rate(&t, scale, period);
	return ct_kind_keep(r, o, out);
}

int ct_kind_rate(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	return rate(r, arg[0], 10000, o);
}

/* "512kb/s": n[2] says that it counts bytes, n[0] how many a second. */
static int byte_rate(struct ct_reading *r, const char *s, const char *end, const char *suffix,
		     struct ct_rule_option *o)
{
	unsigned shift = end > s && end[-1] == 'k' ? 10 : end > s && end[-1] == 'm' ? 20 : 0;
	struct ct_text t;
	char out[32];
	uint64_t v;

	if (ct_number_u64(s, (size_t)(end - s) - (shift != 0), UINT32_MAX >> shift, &v) < 0)
		return -EINVAL;
	v <<= shift;
	o->n[0] = (uint32_t)v;
	o->n[2] = 1;
	shift = v && v % (1u << 20) == 0 ? 20 : v && v % (1u << 10) == 0 ? 10 : 0;
	ct_text_init(&t, out, sizeof(out));
	ct_text_u64(&t, v >> shift);
	ct_text_str(&t, shift == 20 ? "m" : shift == 10 ? "k" : "");
	ct_text_str(&t, suffix);
	return ct_kind_keep(r, o, out);
}

int ct_kind_hash_rate(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	size_t len = strlen(arg[0]);

	if (len > 3 && strcmp(arg[0] + len - 3, "b/s") == 0)
		return byte_rate(r, arg[0], arg[0] + len - 3, "b/s", o);
	return rate(r, arg[0], 1000000, o);
}

int ct_kind_hash_burst(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	size_t len = strlen(arg[0]);

	if (len > 1 && arg[0][len - 1] == 'b')
		return byte_rate(r, arg[0], arg[0] + len - 1, "b", o);
	return ct_kind_decimal(r, arg, o);
}

/* A decimal number with a point, whatever the locale; moves @s behind it. */
static int take_decimal(const char **s, double *out)
{
	double v = 0, unit = 1;
	size_t digits = 0;

	for (; **s >= '0' && **s <= '9' && digits < 40; (*s)++, digits++)
		v = v * 10 + (**s - '0');
	if (**s == '.')
		for ((*s)++; **s >= '0' && **s <= '9' && digits < 60; (*s)++, digits++)
			v += (**s - '0') * (unit /= 10);
	*out = v;
	return digits ? 0 : -EINVAL;
}

/* "0.25" in 2^-31, rounded, written with eleven places. */
int ct_kind_probability(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	const char *s = arg[0];
	struct ct_text t;
	char out[32];
	double v;

	if (take_decimal(&s, &v) < 0 || *s || v > 1)
		return -EINVAL;
	o->n[0] = (uint32_t)(v * 0x80000000u + 0.5);
	ct_text_init(&t, out, sizeof(out));
	ct_text_printf(&t, "%.11f", o->n[0] / (double)0x80000000u);
	return ct_kind_keep(r, o, out);
}

/* "250ms", "1.5s": written with one place, n[0] in microseconds. */
int ct_kind_interval(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	static const struct {
		const char *name;
		double us;
	} scales[] = { { "us", 1 },    { "ms", 1e3 },	 { "s", 1e6 },
		       { "usec", 1 },  { "msec", 1e3 },	 { "sec", 1e6 },
		       { "usecs", 1 }, { "msecs", 1e3 }, { "secs", 1e6 } };
	const char *unit = arg[0];
	struct ct_text t;
	char out[48];
	double v;

	if (take_decimal(&unit, &v) < 0 || v > 4e9)
		return -EINVAL;
	if (!*unit)
		unit = "us";
	for (size_t i = 0; i < sizeof(scales) / sizeof(scales[0]); i++)
		if (strcmp(unit, scales[i].name) == 0) {
			v *= scales[i].us;
			if (v >= UINT32_MAX)
				return -EINVAL;
			o->n[0] = (uint32_t)v;
			ct_text_init(&t, out, sizeof(out));
			ct_text_printf(&t,
				       v >= 1e6	  ? "%.1fs"
				       : v >= 1e3 ? "%.1fms"
						  : "%.0fus",
				       v >= 1e6	  ? v / 1e6
				       : v >= 1e3 ? v / 1e3
						  : v);
			return ct_kind_keep(r, o, out);
		}
	return -EINVAL;
}

/* Time of day, dates, days ------------------------------------------------------------------ */

/* @n decimal numbers with at most @width digits each, @marks between them. */
static int read_fields(const char *s, const char *marks, unsigned n, unsigned *out)
{
	unsigned i = 0;

	for (;; i++) {
		size_t len = strspn(s, "0123456789");
		uint64_t v;

		if (i == n || len > 4 || ct_number_u64(s, len, 9999, &v) < 0)
			return -EINVAL;
		out[i] = (unsigned)v;
		s += len;
		if (!*s)
			return (int)i + 1;
		if (i + 1 == n || *s++ != marks[i])
			return -EINVAL;
	}
}

int ct_kind_day_time(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	unsigned f[3] = { 0 };
	struct ct_text t;
	char out[16];
	int n = read_fields(arg[0], "::", 3, f);

	if (n < 2 || f[0] > 23 || f[1] > 59 || f[2] > 59)
		return -EINVAL;
	o->n[0] = f[0] * 3600 + f[1] * 60 + f[2];
	ct_text_init(&t, out, sizeof(out));
	ct_text_printf(&t, "%02u:%02u:%02u", f[0], f[1], f[2]);
	return ct_kind_keep(r, o, out);
}

/* Seconds since 1970 of fields as mktime() takes them in UTC: days beyond the month run over. */
static int64_t seconds_of(const unsigned *f)
{
	unsigned year = f[0] - (f[1] < 3), month = (f[1] + 9) % 12; /* years from March on */
	int64_t day = 365 * (int64_t)year + year / 4 - year / 100 + year / 400 +
		      (153 * month + 2) / 5 + f[2] - 1 - 719468;

	return ((day * 24 + f[3]) * 60 + f[4]) * 60 + f[5];
}

/* n[0] and n[1]: the moment as UNIX time, low half first. */
int ct_kind_date(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	unsigned f[6] = { 1970, 1, 1, 0, 0, 0 };
	struct ct_text t;
	char out[32];
	int64_t at;

	if (read_fields(arg[0], "--T::", 6, f) < 0 || f[0] < 1970 || f[0] > 2038 || f[1] < 1 ||
	    f[1] > 12 || f[2] < 1 || f[2] > 31 || f[3] > 23 || f[4] > 59 || f[5] > 59)
		return -EINVAL;
	at = seconds_of(f);
	o->n[0] = (uint32_t)at;
	o->n[1] = (uint32_t)((uint64_t)at >> 32);
	ct_text_init(&t, out, sizeof(out));
	ct_text_printf(&t, "%04u-%02u-%02uT%02u:%02u:%02u", f[0], f[1], f[2], f[3], f[4], f[5]);
	return ct_kind_keep(r, o, out);
}

static const char *const day_names[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };

/* The day of @s by name (two letters are enough) or number: 1 Monday to 7 Sunday; 0. */
static unsigned day_number(const char *s, size_t len)
{
	if (len == 1 && *s >= '1' && *s <= '7')
		return (unsigned)(*s - '0');
	for (unsigned i = 0; i < 7; i++)
		if (len >= 2 && strncasecmp(s, day_names[i], 2) == 0)
			return i + 1;
	return 0;
}

/* A negated list is written as the days that remain. */
int ct_kind_week_days(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	const char *s = arg[0];
	struct ct_text t;
	char out[40];

	for (;;) {
		size_t len = strcspn(s, ",");
		unsigned day = day_number(s, len);

		if (!day)
			return -EINVAL;
		o->n[0] |= 1u << day;
		s += len;
		if (!*s++)
			break;
	}
	if (o->is_inverted)
		o->n[0] ^= 0xfe;
	o->is_inverted = false;
	ct_text_init(&t, out, sizeof(out));
	for (unsigned i = 0; i < 7; i++)
		if (o->n[0] >> (i + 1) & 1) {
			ct_text_str(&t, t.len ? "," : "");
			ct_text_str(&t, day_names[i]);
		}
	return ct_kind_keep(r, o, out);
}

int ct_kind_month_days(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	const char *s = arg[0];
	struct ct_text t;
	char out[128];

	for (;;) {
		size_t len = strspn(s, "0123456789");
		uint64_t day;

		if (ct_number_u64(s, len, 31, &day) < 0 || day == 0)
			return -EINVAL;
		o->n[0] |= 1u << day;
		s += len;
		if (*s != ',')
			break;
		s++;
	}
	if (*s)
		return -EINVAL;
	if (o->is_inverted)
		o->n[0] ^= 0xfffffffe;
	o->is_inverted = false;
	ct_text_init(&t, out, sizeof(out));
	for (unsigned i = 1; i < 32; i++)
		if (o->n[0] >> i & 1) {
			ct_text_str(&t, t.len ? "," : "");
			ct_text_u64(&t, i);
		}
	return ct_kind_keep(r, o, out);
}
