/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Time as an argument: nothing in the library reads a clock.
 */
#ifndef CONNTUNE_TIME_H
#define CONNTUNE_TIME_H

#include <stdint.h>

typedef int64_t ct_time; /* nanoseconds; the origin is the caller's (usually the Unix epoch) */

#define CT_TIME_NONE INT64_MAX /* "never", "no such moment" */
#define CT_NS_PER_S  INT64_C(1000000000)
#define CT_NS_PER_MS INT64_C(1000000)
#define CT_NS_PER_US INT64_C(1000)

#endif
