/* SPDX-License-Identifier: BSD-2-Clause
 *
 * track FILE: an example of libconntune. Reads a pcap file of Ethernet frames (microseconds, this
 * machine's byte order) and prints the connection table as of its last packet.
 *
 *     cc track.c $(pkg-config --cflags --libs libconntune) -o track
 */
#include <conntune/engine.h>
#include <stdio.h>
#include <string.h>

enum { FILE_HEADER = 24, RECORD_HEADER = 16, ETHERNET = 14, MAX_FRAME = 65536 };

static uint8_t frame[MAX_FRAME];

/* One record into frame[]; its size, or 0 at the end. */
static size_t next_frame(FILE *f, ct_time *at)
{
	uint32_t head[4];

	if (fread(head, 1, RECORD_HEADER, f) != RECORD_HEADER || head[2] > MAX_FRAME ||
	    fread(frame, 1, head[2], f) != head[2])
		return 0;
	*at = (ct_time)head[0] * CT_NS_PER_S + (ct_time)head[1] * CT_NS_PER_US;
	return head[2];
}

int main(int argc, char **argv)
{
	FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
	struct ct_engine_config config;
	struct ct_engine *engine;
	struct ct_cursor cursor = { 0, 0 };
	struct ct_packet packet;
	struct ct_entry entry;
	struct ct_err err;
	ct_time now = 0;
	size_t size;

	if (!f || fread(frame, 1, FILE_HEADER, f) != FILE_HEADER) {
		(void)fputs("usage: track FILE.pcap\n", stderr);
		return 2;
	}
	ct_engine_config_default(&config);
	config.settings.acct = 1;
	engine = ct_engine_new(&config, &err);
	if (!engine) {
		(void)fprintf(stderr, "track: %s\n", err.text);
		return 1;
	}
	while ((size = next_frame(f, &now)) > ETHERNET) {
		ct_packet_init(&packet, frame + ETHERNET, size - ETHERNET);
		if (ct_packet_receive(&packet) < 0)
			continue; /* not IP, or IP refuses it: packet.why says why */
		ct_engine_in(engine, &packet, now);
		/* Here a rule may judge packet.info; one that drops calls ct_engine_release(). */
		ct_engine_confirm(engine, &packet, now);
	}
	while (ct_engine_next(engine, &cursor, &entry) > 0) {
		char line[CT_MAX_LINE];
		struct ct_text text;

		ct_text_init(&text, line, sizeof(line));
		(void)ct_entry_format(&entry, CT_FORM_PROC, 0, &text);
		(void)puts(line);
	}
	ct_engine_free(engine);
	(void)fclose(f);
	return 0;
}
