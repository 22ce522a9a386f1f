/*
 * What a site needs of the kernel, one feature at a time: for telling all that is missing, where site_open tells the first.
 */
#ifndef GATES_SITE_FEATURES_H
#define GATES_SITE_FEATURES_H

#include "../../launcher/support/error.h"

enum site_feature {
    FEATURE_PROC,
    FEATURE_SETTINGS,
    FEATURE_VETH,
    FEATURE_RULES,
    FEATURE_TABLES,
    FEATURE_REDIRECT,
    FEATURE_FIB,
    FEATURE_TPROXY,
    FEATURE_LOG,
    FEATURE_CONNTRACK,
    FEATURE_PACKETS,
    FEATURE_PING,
    SITE_FEATURES
};
const char *site_feature_name(enum site_feature feature);    /* "veth" */
const char *site_feature_purpose(enum site_feature feature); /* "the cable between ..." */

/* Tries each in namespaces made for that, which end with it. `missing[i]` is empty, or says what is missing and the remedy.
 * False with `error` filled if nothing could be tried. */
bool site_features_try(struct error missing[SITE_FEATURES], struct error *error);

#endif
