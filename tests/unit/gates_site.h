/* The real site of gates/site with the real witness in it, for tests of the two together: as witness_site.h, whose checks
 * it shares, but made by site_open. */
#ifndef TESTS_UNIT_GATES_SITE_H
#define TESTS_UNIT_GATES_SITE_H

#include "../../gates/site/site.h"
#include "witness_site.h"

static struct site real_site;
static site_body *real_body;

static inline void open_real_site(struct test_site *test)
{
    struct error error = { 0 };
    site_map_self(test);
    site_check(test, site_open(&real_site, &error), "site_open: %s", error.text);
    site_check(test, mkdir(SITE_SOCKETS_DIR, 0755) == 0, "mkdir: %s", strerror(errno));
    test->host = real_site.host_namespace;
    test->world = real_site.world_namespace;
    real_body(test);
}

/* Runs `body` in a new site, in its host namespace. */
static inline void in_real_site(site_body *body)
{
    real_body = body;
    in_site_made_by_body(open_real_site);
}

static inline void in_calm_real_site(site_body *body)
{
    real_body = body;
    in_site_made_by_body_and_calm(open_real_site);
}

static inline void site_check_lossless(struct test_site *test)
{
    char text[160] = "";
    site_check(test, site_lossless(&real_site, text), "the kernel lost something: %s", text);
}

#endif
