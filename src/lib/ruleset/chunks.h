/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The chunk types that the match of SCTP asks for, compiled.
 */
#ifndef CT_RULESET_CHUNKS_H
#define CT_RULESET_CHUNKS_H

#include <stdint.h>

struct ct_chunks {
	uint8_t types[32];	     /* as bits */
	uint8_t mask[256], set[256]; /* by type: the flags that are asked for, and how */
};

#endif
