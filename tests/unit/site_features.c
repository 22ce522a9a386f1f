/* What a site needs, tried one by one: this host has all of it, and what a namespace is kept from is told with its remedy. */
#include <criterion/criterion.h>

#include "../../gates/site/features.h"

Test(site_features, this_host_has_all_of_them)
{
    struct error missing[SITE_FEATURES] = { 0 }, error = { 0 };
    cr_assert(site_features_try(missing, &error), "%s", error.text);
    for (int i = 0; i < SITE_FEATURES; i++)
        cr_expect_eq(missing[i].code, ERROR_NONE, "%s: %s", site_feature_name((enum site_feature)i), missing[i].text);
}

Test(site_features, each_has_a_name_and_says_what_it_is_for)
{
    for (int i = 0; i < SITE_FEATURES; i++) {
        cr_assert_not_null(site_feature_name((enum site_feature)i));
        cr_expect_not_null(site_feature_purpose((enum site_feature)i));
        for (int j = 0; j < i; j++)
            cr_expect_str_neq(site_feature_name((enum site_feature)i), site_feature_name((enum site_feature)j));
    }
}
