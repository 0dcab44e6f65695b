/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Finding values in SIP messages and the session descriptions (SDP) they carry, with the liberties
 * the kernel takes. Nothing is copied; nothing outside the text is read.
 */
#ifndef CT_ENGINE_SIP_TEXT_H
#define CT_ENGINE_SIP_TEXT_H

#include <conntune/tuple.h>

struct sip_text {
	const char *p;
	uint32_t size;
	uint8_t family; /* whose addresses are read */
};

/* A value in the text. */
struct sip_match {
	uint32_t at, size;
};

enum sip_header { SIP_CSEQ, SIP_CONTACT, SIP_EXPIRES, SIP_CONTENT_LENGTH };

enum sdp_line { SDP_VERSION, SDP_CONNECTION4, SDP_CONNECTION6, SDP_MEDIA, SDP_NONE };

/* True when the text begins with @word at @at, in any case. */
bool ct_sip_says(const struct sip_text *t, uint32_t at, const char *word);

/* The decimal number at @at, and what is behind it (@end may be null). False, and 0, when there is
 * none, or one that 32 bits or eleven digits cannot say. */
bool ct_sip_number(const struct sip_text *t, uint32_t at, uint32_t *value, uint32_t *end);

/* ct_sip_get_header(): the value of the first header of a kind behind @from. 1; 0 none; -1 when it
 * is there without a value that can be read. */
int ct_sip_header(const struct sip_text *t, uint32_t from, enum sip_header kind,
		  struct sip_match *out);

/* Where a walk over the addresses in all headers of a kind stands. */
struct sip_walk {
	uint32_t at;
	bool is_in_header;
};

/* An address and port in a header. */
struct sip_uri {
	union ct_addr addr;
	uint16_t port;
	struct sip_match match;
};

/* ct_sip_parse_header_uri(): the next address; those that cannot be read are passed over. False
 * when none is left. */
bool ct_sip_uri(const struct sip_text *t, enum sip_header kind, struct sip_walk *walk,
		struct sip_uri *out);

/* ct_sip_parse_numerical_param(): sets @value when the parameter "NAME=" stands behind @at. False
 * when what it says is no number. */
bool ct_sip_parameter(const struct sip_text *t, uint32_t at, const char *name, uint32_t *value);

/* ct_sip_parse_transport(): false when the parameters behind @at ask for another protocol than
 * @proto. */
bool ct_sip_transport(const struct sip_text *t, uint32_t at, uint8_t proto);

/* ct_sip_get_sdp_header(): the value of the first line of a kind behind @from, and before any line
 * of kind @stop. 1, 0, -1 as above. */
int ct_sdp_find(const struct sip_text *t, uint32_t from, enum sdp_line kind, enum sdp_line stop,
		struct sip_match *out);

/* ct_sip_parse_sdp_addr() */
int ct_sdp_addr(const struct sip_text *t, uint32_t from, union ct_addr *out);

#endif
