/* SPDX-License-Identifier: MIT */
/*
 * status_assets: the files beside the status page, status.css, status.js and status.svg, as they stand in the source. status_assets.c is made of them by make
 * (status_assets.awk).
 */
#ifndef POSTERN_PROC_STATUS_ASSETS_H
#define POSTERN_PROC_STATUS_ASSETS_H

#include "base/span.h"

extern const struct span status_css, status_js, status_svg;

#endif
