/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The layout of nested attributes as data, read and written through the same tables.
 *
 * A layout is an array indexed by attribute number. Each field says what kind of payload stands
 * there (and so how large it must be), where in the value it belongs, and what is known once it
 * was seen. The reader refuses wrong sizes, missing parts and cut nests; what a layout does not
 * name is passed over, as newer kernels add attributes.
 */
#ifndef OPS_NETLINK_LAYOUT_H
#define OPS_NETLINK_LAYOUT_H

#include <conntune/entry.h>

#include "ops/netlink/attr.h"

enum nl_kind {
	NL_NONE,      /* not named: passed over */
	NL_U8,	      /* uint8_t */
	NL_RAW16,     /* ct_be16, left in network order */
	NL_BE16,      /* uint16_t */
	NL_BE32,      /* uint32_t */
	NL_BE64,      /* uint64_t */
	NL_ADDR4,     /* union ct_addr of a struct ct_tuple */
	NL_ADDR6,     /* likewise */
	NL_TCP_FLAGS, /* uint8_t; on the wire flags and mask */
	NL_ZONE,      /* zone of the entry, @arg is its enum ct_zone_dir */
	NL_STRING,    /* struct ct_slice, NUL-terminated on the wire */
	NL_LABELS,    /* the labels of the entry: up to 16 bytes, native order */
	NL_NEST,      /* another layout; its offsets count from where this field points */
	NL_GROUP,     /* likewise, but only its fields tell what is known; @known is what may be */
	NL_TUPLE,     /* a nest; what it points to is a struct ct_tuple */
};

struct nl_layout;

struct nl_field {
	uint8_t kind;	 /* enum nl_kind */
	uint8_t arg;	 /* of the kind */
	uint16_t offset; /* of the value from the layout's base */
	uint32_t known;	 /* set when read; tells whether it is written, when is_present is null */
	uint32_t hides;	 /* known bits set inside the nest that are not about the whole */
	const struct nl_layout *nest;
	/* Whether the field belongs into what is written. @base is the layout's. */
	bool (*is_present)(const struct ct_entry *e, const void *base);
};

struct nl_layout {
	const struct nl_field *fields; /* indexed by attribute number */
	uint16_t n;		       /* of them */
	uint32_t needs, or_needs;      /* bit masks of attributes: one of these must be whole */
};
#define NL_LAYOUT(f, ...)                                                                          \
	{                                                                                          \
		.fields = (f), .n = sizeof(f) / sizeof((f)[0]), __VA_ARGS__                        \
	}

/* The state of reading one message. */
struct nl_reader {
	uint32_t want;		/* fields whose known bits are not in here are passed over */
	uint32_t known;		/* what was seen */
	uint8_t family;		/* of the message */
	struct ct_entry *entry; /* for the kinds that belong to it; else null */
};

/* Reads attributes by @l into the value at @base. @seen (may be null) gets a bit per attribute.
 * -EBADMSG. */
int nl_layout_read(struct nl_reader *r, struct ct_bytes attrs, const struct nl_layout *l,
		   void *base, uint32_t *seen);

/* Writes what is known of @e, whose part at @base has layout @l. */
void nl_layout_write(struct nl_message *m, const struct ct_entry *e, const struct nl_layout *l,
		     const void *base);

/* The nest of a tuple: of a master and of expectations, and of the two directions of an entry,
 * which may carry a zone. Base: struct ct_tuple. */
extern const struct nl_layout nl_tuple_layout, nl_orig_layout, nl_reply_layout;

/* Reads a tuple with ports whose attributes stand as the kernel puts them, into @out, whose family
 * is set. False when they do not; @out is then untouched. */
bool nl_tuple_read_usual(const struct nl_attr *a, struct ct_tuple *out);

#endif
