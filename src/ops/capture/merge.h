/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Several captures as one stream of frames in the order of their time.
 */
#ifndef OPS_CAPTURE_MERGE_H
#define OPS_CAPTURE_MERGE_H

#include "ops/capture/capture.h"

struct merge;

/* Opens @n files. A negative errno with a sentence that names the file. */
int merge_open(char *const paths[], unsigned n, struct merge **out, struct ct_err *err);

/* Reads on where a file has nothing more at hand; frames given before are gone then. 1 when there
 * are frames, 0 at the end of all files, negative with a sentence when one is broken: calling
 * again goes on with the others. */
int merge_fill(struct merge *m, struct ct_err *err);

/* The next frame without reading: 1, or 0 when merge_fill() has to be called first. With several
 * files, frames are numbered through. */
int merge_next(struct merge *m, struct frame *out);

/* The name of the interface that the last frame came by, or null when its file gives none. Lives as
 * long as @m. */
const char *merge_interface(const struct merge *m);

/* True when one of the files ended inside a frame. */
bool merge_is_cut(const struct merge *m);

void merge_free(struct merge *m);
DEFINE_AUTO_FREE(merge);

#endif
