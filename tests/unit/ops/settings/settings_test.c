/* SPDX-License-Identifier: BSD-2-Clause
 *
 * settings: the list is sound, names are found under every spelling, old kernels are read.
 */
#include "ops/settings/settings.h"

#include <errno.h>

#include "../host/copy.h"
#include "tap.h"

TEST(the_list_is_sound)
{
	for (size_t i = 0; i < settings_n; i++) {
		const struct setting *s = &settings_list[i];
		int64_t v;
		int r = setting_default(s, s->until - 1, &v);

		if (!s->text || strlen(s->text) < 20 || s->min > s->max || s->since >= s->until)
			TAP_FAIL("%s is not whole", s->name);
		if (r == 0 && (v < s->min || v > s->max))
			TAP_FAIL("%s: default outside its bounds", s->name);
		if (settings_find(s->key) != s || settings_find(s->path) != s ||
		    settings_find(s->name) != s)
			TAP_FAIL("%s is not found by its own names", s->name);
		for (size_t k = i + 1; k < settings_n; k++)
			if (strcmp(s->name, settings_list[k].name) == 0)
				TAP_FAIL("%s stands twice", s->name);
	}
}

TEST(every_spelling_finds_it)
{
	static const char *const spellings[] = {
		"nf_conntrack_max",
		"net.netfilter.nf_conntrack_max",
		"net/netfilter/nf_conntrack_max",
		"/proc/sys/net/netfilter/nf_conntrack_max",
		"net.nf_conntrack_max",
		"net.ipv4.ip_conntrack_max",
		"net.ipv4.netfilter.ip_conntrack_max",
		"/proc/sys/net/ipv4/ip_conntrack_max",
		"ip_conntrack_max",
	};

	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
		const struct setting *s = settings_find(spellings[i]);

		EQ_STR(s ? s->name : "(none)", "nf_conntrack_max");
	}
	EQ_STR(settings_find("ip_conntrack_tcp_timeout_established")->name,
	       "nf_conntrack_tcp_timeout_established");
	EQ_STR(settings_find("ip_conntrack.hashsize")->name, "hashsize");
	OK(!settings_find("nf_conntrack"));
	OK(!settings_find(""));
}

static int64_t default_of(const char *name, uint32_t release)
{
	int64_t v = -1;

	return setting_default(settings_find(name), release, &v) == 0 ? v : -1;
}

TEST(defaults_changed_with_time)
{
	EQ_INT(default_of("nf_conntrack_udp_timeout_stream", RELEASE(4, 19, 0)), 180);
	EQ_INT(default_of("nf_conntrack_udp_timeout_stream", RELEASE(5, 0, 0)), 120);
	EQ_INT(default_of("nf_conntrack_events", RELEASE(5, 18, 9)), 1);
	EQ_INT(default_of("nf_conntrack_events", RELEASE(5, 19, 0)), 2);
	EQ_INT(default_of("nf_conntrack_helper", RELEASE(4, 6, 0)), 1);
	EQ_INT(default_of("nf_conntrack_helper", RELEASE(4, 7, 0)), 0);
	EQ_INT(default_of("nf_conntrack_helper", RELEASE(6, 0, 0)), -1);
	EQ_INT(default_of("nf_conntrack_events", 0), -1); /* depends, and the release is unknown */
	EQ_INT(default_of("nf_conntrack_tcp_timeout_established", 0), 432000);
	EQ_INT(setting_default(settings_find("nf_conntrack_max"), 0, &(int64_t){ 0 }), -EAGAIN);
}

TEST(spellings_belong_to_kernels)
{
	const struct setting *max = settings_find("nf_conntrack_max");
	struct ct_err err = { "" };

	EQ_INT(setting_spelling(max, "net.ipv4.ip_conntrack_max", RELEASE(3, 10, 0), &err), 0);
	EQ_INT(setting_spelling(max, "net.ipv4.ip_conntrack_max", RELEASE(4, 9, 0), &err), -ENOENT);
	EQ_STR(err.text, "the name net.ipv4.ip_conntrack_max is gone since Linux 4.9; today it is "
			 "net.netfilter.nf_conntrack_max");
	EQ_INT(setting_spelling(max, "net.netfilter.nf_conntrack_max", RELEASE(2, 6, 9), &err),
	       -ENOENT);
	EQ_INT(setting_spelling(max, "net.nf_conntrack_max", RELEASE(6, 1, 0), &err), 0);
	EQ_INT(setting_spelling(settings_find("nf_conntrack_dccp_loose"), "nf_conntrack_dccp_loose",
				RELEASE(6, 18, 0), &err),
	       -ENOENT);
	EQ_STR(err.text, "Linux 6.18 does not have it (removed in 6.17)");
}

TEST(bounds_are_the_kernel_s)
{
	struct ct_err err = { "" };
	const struct setting *max = settings_find("nf_conntrack_max");

	EQ_INT(setting_accepts(max, RELEASE(6, 18, 0), 0, &err), 0);
	EQ_INT(setting_accepts(max, RELEASE(6, 19, 0), 0, &err), -ERANGE);
	EQ_INT(setting_accepts(max, RELEASE(6, 18, 0), 2147483648, &err), -ERANGE);
	EQ_INT(setting_accepts(settings_find("nf_conntrack_count"), 0, 5, &err), -EROFS);
	EQ_INT(setting_accepts(settings_find("nf_conntrack_buckets"), RELEASE(4, 4, 0), 5, &err),
	       -EROFS);
	EQ_INT(setting_accepts(settings_find("nf_conntrack_udp_timeout"), 0, 99999999, &err),
	       -ERANGE);
}

TEST(an_old_kernel_is_read_by_its_names)
{
	auto_free(host) struct host *h = NULL;
	auto_fini(copy) struct copy c;
	auto_fini(settings) struct settings s = { 0 };
	const struct setting_value *v;

	copy_init(&c);
	copy_file(&c, "/proc/sys/kernel/osrelease", "2.6.18-238.el5\n");
	copy_file(&c, "/proc/meminfo", "MemTotal:        1048576 kB\n");
	copy_file(&c, "/proc/sys/net/ipv4/netfilter/ip_conntrack_max", "65536\n");
	copy_file(&c, "/proc/sys/net/ipv4/netfilter/ip_conntrack_tcp_timeout_established",
		  "432000\n");
	copy_file(&c, "/sys/module/ip_conntrack/parameters/hashsize", "8192\n");
	copy_file(&c, "/proc/sys/net/ipv4/netfilter/ip_conntrack_udp_timeout", "abc\n");
	EQ_INT(host_open(c.root, &h, NULL), 0);
	EQ_INT(settings_read_now(h, &s, NULL), 0);
	v = settings_get(&s, "nf_conntrack_max");
	OK(v && v->now == 65536);
	EQ_STR(v ? v->now_path : "", "/proc/sys/net/ipv4/netfilter/ip_conntrack_max");
	v = settings_get(&s, "hashsize");
	OK(v && v->now == 8192);
	OK(!settings_get(&s, "nf_conntrack_udp_timeout"));
	EQ_INT(settings_at(&s, "nf_conntrack_udp_timeout")->error, -EINVAL);
	EQ_INT(settings_at(&s, "nf_conntrack_gre_timeout")->error, -ENOENT);
	OK(!settings_at(&s, "nf_conntrack_gre_timeout")->is_default_known);
}

TEST(nothing_is_unknown_not_zero)
{
	auto_free(host) struct host *h = NULL;
	auto_fini(copy) struct copy c;
	auto_fini(settings) struct settings s = { 0 };

	copy_init(&c);
	EQ_INT(host_open(c.root, &h, NULL), 0);
	EQ_INT(settings_read(h, &s, NULL), 0);
	for (size_t i = 0; i < s.n; i++)
		OK(!s.at[i].is_now_known && s.at[i].error == -ENOENT);
	OK(!settings_at(&s, "nf_conntrack_max")->is_after_known);
}

TEST(switches_of_modules_are_letters)
{
	const struct setting *acct = settings_find("acct");
	int64_t v = 9;

	EQ_INT(setting_parse(acct, "Y\n", 2, &v), 0);
	EQ_INT(v, 1);
	EQ_INT(setting_parse(acct, "N", 1, &v), 0);
	EQ_INT(v, 0);
	EQ_INT(setting_parse(acct, "maybe", 5, &v), -EINVAL);
	EQ_INT(setting_parse(settings_find("nf_conntrack_max"), " 42 ", 4, &v), 0);
	EQ_INT(v, 42);
}

TAP_MAIN(&tap_the_list_is_sound, &tap_every_spelling_finds_it, &tap_defaults_changed_with_time,
	 &tap_spellings_belong_to_kernels, &tap_bounds_are_the_kernel_s,
	 &tap_an_old_kernel_is_read_by_its_names, &tap_nothing_is_unknown_not_zero,
	 &tap_switches_of_modules_are_letters)
