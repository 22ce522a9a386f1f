/*
 * The vector table and the backends' lists of vectors, which stand in two folders that don't know each other, say the same: a
 * row that no fence claims would be BLOCKED by nothing that a report can name, and no self-proof would ever try it.
 */
#include <criterion/criterion.h>

#include "../../gates/plan.h"
#include "../../gates/plan_targets.h"
#include "../../launcher/backend.h"
#include "../../probes/vectors.h"

static bool lists(const uint16_t *ids, uint16_t vector)
{
    for (; *ids != 0; ids++)
        if (*ids == vector)
            return true;
    return false;
}

static bool is_stopped(const struct backend *backend, uint16_t vector)
{
    for (size_t i = 0; i < backend->fence_count; i++)
        if (lists(backend->fences[i].vectors, vector))
            return true;
    return false;
}

static bool is_of_its_make(const struct backend *backend, const struct vector *vector)
{
    const struct plan_wishes wishes = { .peer4 = backend->peer4, .peer6 = backend->peer6 };
    for (const struct vector_target *target = vector->targets; target->address != NULL; target++) {
        struct run_attempt attempt = { .vector = vector, .target = target };
        plan_resolve_target(&attempt, &wishes);
        if (!backend->structural(vector->id, attempt.address))
            return false;
    }
    return true;
}

Test(fences, of_each_backend_claim_every_vector_or_its_make_stops_it)
{
    size_t backends = 0;
    for (const struct backend *backend; (backend = backend_at(backends)) != NULL; backends++)
        for (size_t i = 0; i < vector_count && backend->fence_count > 0; i++)
            cr_expect(is_stopped(backend, vectors[i].id) || is_of_its_make(backend, &vectors[i]),
                      "no fence of %s says that it stops BG-%03u", backend->name, vectors[i].id);
    cr_expect_gt(backends, 0);
}

Test(fences, claim_only_vectors_that_there_are_and_none_twice)
{
    const struct backend *backend;
    for (size_t b = 0; (backend = backend_at(b)) != NULL; b++)
        for (size_t i = 0; i < backend->fence_count; i++)
            for (const uint16_t *id = backend->fences[i].vectors; *id != 0; id++) {
                cr_expect_not_null(vector_find(*id), "BG-%03u of %s", *id, backend->fences[i].name);
                cr_expect_not(lists(id + 1, *id), "BG-%03u of %s", *id, backend->fences[i].name);
            }
}

Test(fences, an_open_bottle_must_leak_only_what_its_fences_claim)
{
    const struct backend *backend;
    for (size_t b = 0; (backend = backend_at(b)) != NULL; b++)
        for (const uint16_t *id = backend->open_must_leak; *id != 0; id++)
            cr_expect(vector_find(*id) != NULL && is_stopped(backend, *id), "BG-%03u of %s", *id, backend->name);
}

Test(backends, what_is_absent_by_their_make_is_absent_at_its_places_alone)
{
    bool (*of_machines)(uint16_t, const char *) = smolmachines_backend.structural;
    cr_expect(of_machines(21, "::ffff:127.0.0.1") && !of_machines(21, "::127.0.0.1"));
    cr_expect(of_machines(45, "fe80::a9fe:a9fe%*") && !of_machines(45, "169.254.169.254"));
    cr_expect(of_machines(20, "127.9.9.9") && of_machines(20, "::") && !of_machines(22, "10.77.0.1"));
    bool (*of_gvisor)(uint16_t, const char *) = backend_find_runtime(&docker_backend, "runsc")->structural;
    cr_expect(of_gvisor(28, "@abstract") && !of_gvisor(28, "127.0.0.1"));
    cr_expect(of_gvisor(34, "234.*") && !of_gvisor(34, "203.0.113.34") && !of_gvisor(112, "/run/host"));
}
