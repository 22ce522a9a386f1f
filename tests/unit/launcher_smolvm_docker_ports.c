/* Which addresses Docker's containers publish on: the two answers of its API, a Docker that misbehaves, and none at
 * all. */
#include "launcher_smolvm_docker.h"

#include <errno.h>
#include <grp.h>
#include <sys/wait.h>

#include "../../launcher/smolvm/docker_ports.h"

static char ids[DOCKER_CONTAINERS][DOCKER_ID];

static bool list(const char *text, size_t *count)
{
    return docker_list_parse(text, strlen(text), "bot-bottle-sidecars-", ids, count);
}

#define CONTAINER(digit, names) "{\"Id\":\"" ID(digit) "\",\"Names\":[" names "],\"Image\":\"x\",\"State\":\"running\"}"

/* An array of them, as Docker answers. */
static const char *list_of(const char *const containers[], size_t count)
{
    static char text[4096];
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%c%s", i == 0 ? '[' : ',', containers[i]);
    snprintf(text + used, sizeof text - used, "]\n");
    return text;
}

Test(launcher_smolvm_docker_ports, only_containers_whose_name_begins_so_are_listed)
{
    size_t count;
    cr_expect(list("[]", &count) && count == 0);
    static const char *const running[] = {
        CONTAINER("1", "\"/bot-bottle-sidecars-a\""),
        CONTAINER("2", "\"/my-bot-bottle-sidecars-b\""),
        CONTAINER("3", "\"/x\",\"/y/bot-bottle-sidecars-c\",\"/bot-bottle-sidecars-\""),
        CONTAINER("4", "\"xbot-bottle-sidecars-d\",\"bot-bottle-sidecars-d\""),
        CONTAINER("5", ""),
        CONTAINER("6", "7,null"),
    };
    cr_assert(list(list_of(running, sizeof running / sizeof *running), &count));
    cr_expect_eq(count, 2);
    cr_expect(ids[0][0] == '1' && ids[1][0] == '3' && strlen(ids[1]) == 64);
}

Test(launcher_smolvm_docker_ports, what_is_no_list_of_containers_is_refused)
{
    static const char *const texts[] = {
        "",
        "{}",
        "null",
        "[",
        "[]x",
        "[7]",
        "[null]",
        "[{}]",
        "{\"message\":\"page not found\"}",
        "[{\"Names\":[\"/bot-bottle-sidecars-a\"]}]",
        "[{\"Id\":\"" ID("1") "\"}]",
        "[{\"Id\":\"" ID("1") "\",\"Names\":\"/bot-bottle-sidecars-a\"}]",
        "[{\"Id\":\"" ID("1") "0\",\"Names\":[\"/bot-bottle-sidecars-a\"]}]",
        "[{\"Id\":\"1\",\"Names\":[\"/bot-bottle-sidecars-a\"]}]",
        "[{\"Id\":\"" ID("/") "\",\"Names\":[\"/bot-bottle-sidecars-a\"]}]",
        "[{\"Id\":\"" ID("A") "\",\"Names\":[\"/bot-bottle-sidecars-a\"]}]",
        "[{\"Id\":7,\"Names\":[\"/bot-bottle-sidecars-a\"]}]",
        "[{\"Id\":\"" ID("1") "\",\"Id\":\"" ID("2") "\",\"Names\":[\"/bot-bottle-sidecars-a\"]}]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t count;
        cr_expect_not(list(texts[i], &count), "%s", texts[i]);
    }
}

Test(launcher_smolvm_docker_ports, more_containers_than_there_is_room_for_are_refused)
{
    static char text[200 * (DOCKER_CONTAINERS + 2)];
    for (size_t many = DOCKER_CONTAINERS; many <= DOCKER_CONTAINERS + 1; many++) {
        size_t count;
        strcpy(text, "[");
        for (size_t i = 0; i < many; i++)
            sprintf(text + strlen(text), "%s" CONTAINER("1", "\"/bot-bottle-sidecars-a\""), i == 0 ? "" : ",");
        strcat(text, "]");
        cr_expect_eq(list(text, &count), many == DOCKER_CONTAINERS);
    }
}

#define PORTS(ports) "{\"NetworkSettings\":{\"Ports\":" ports "}}"
#define ON(address)  "[{\"HostIp\":\"" address "\",\"HostPort\":\"8080\"}]"

Test(launcher_smolvm_docker_ports, every_binding_of_a_container_counts)
{
    static const struct {
        const char *text;
        unsigned taken;
    } rows[] = {
        { PORTS("{}"), 0 },
        { PORTS("null"), 0 },
        { PORTS("{\"80/tcp\":null}"), 0 },
        { PORTS("{\"80/tcp\":[]}"), 0 },
        { PORTS("{\"80/tcp\":" ON("127.0.0.16") "}"), 1 },
        { PORTS("{\"80/tcp\":" ON("127.0.0.31") "}"), 0x8000 },
        { PORTS("{\"80/tcp\":null,\"81/udp\":[{\"HostIp\":\"127.0.0.17\"},{\"HostIp\":\"127.0.0.20\"}],\"82/tcp\":" ON(
              "127.0.0.16") "}"),
          0x13 },
        { PORTS("{\"80/tcp\":" ON("127.0.0.15") "}"), 0 },
        { PORTS("{\"80/tcp\":" ON("127.0.0.32") "}"), 0 },
        { PORTS("{\"80/tcp\":" ON("127.0.1.16") "}"), 0 },
        { PORTS("{\"80/tcp\":" ON("127.1.0.16") "}"), 0 },
        { PORTS("{\"80/tcp\":" ON("10.0.0.16") "}"), 0 },
        { PORTS("{\"80/tcp\":" ON("::1") "}"), 0 },
        { PORTS("{\"80/tcp\":" ON("0.0.0.0") "}"), 0xffff },
        { PORTS("{\"80/tcp\":" ON("::") "}"), 0xffff },
        { PORTS("{\"80/tcp\":" ON("0:0:0:0:0:0:0:0") "}"), 0xffff },
        { PORTS("{\"80/tcp\":" ON("") "}"), 0xffff },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint16_t taken = 0;
        cr_expect(docker_inspect_parse(rows[i].text, strlen(rows[i].text), &taken), "row %zu", i);
        cr_expect_eq(taken, rows[i].taken, "row %zu: %x", i, taken);
    }
}

Test(launcher_smolvm_docker_ports, what_is_no_container_changes_nothing)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "null",
        "{\"NetworkSettings\":{}}",
        "{\"NetworkSettings\":[]}",
        PORTS("[]"),
        PORTS("7"),
        PORTS("{\"80/tcp\":7}"),
        PORTS("{\"80/tcp\":{}}"),
        PORTS("{\"80/tcp\":[7]}"),
        PORTS("{\"80/tcp\":[{}]}"),
        PORTS("{\"80/tcp\":[{\"HostIp\":7}]}"),
        PORTS("{\"80/tcp\":" ON("127.0.0.16") ",\"81/tcp\":7}"),
        PORTS("{},\"Ports\":{}"),
        PORTS("{\"80/tcp\":[{\"HostIp\":\"127.0.0.16\",\"HostIp\":\"10.0.0.1\"}]}"),
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint16_t taken = 2;
        cr_expect_not(docker_inspect_parse(texts[i], strlen(texts[i]), &taken), "%s", texts[i]);
        cr_expect_eq(taken, 2);
    }
}

static void make(void)
{
    scratch_make();
    docker_start();
}

static void unmake(void)
{
    docker_stop();
    scratch_remove();
}

TestSuite(launcher_smolvm_docker, .init = make, .fini = unmake);

static bool ask(uint64_t microseconds, uint16_t *taken, struct error *error)
{
    bool told =
        docker_ports_taken(docker_path, "bot-bottle-sidecars-", clock_microseconds() + microseconds, taken, error);
    cr_expect(waitpid(-1, NULL, WNOHANG) == 0, "a helper is left");
    return told;
}

Test(launcher_smolvm_docker, published_addresses_come_from_the_socket)
{
    uint16_t taken = 7;
    struct error error = { 0 };
    setenv("http_proxy", "http://127.0.0.1:1", 1); /* nothing of this may go there */
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    static const char *const running[] = {
        CONTAINER("1", "\"/bot-bottle-sidecars-a\""),    CONTAINER("2", "\"/other\""),
        CONTAINER("3", "\"/bot-bottle-sidecars-gone\""), CONTAINER("4", "\"/bot-bottle-sidecars-junk\""),
        CONTAINER("5", "\"/bot-bottle-sidecars-cut\""),  CONTAINER("6", "\"/bot-bottle-sidecars-b\""),
    };
    write_scratch("_containers_json", 0600, list_of(running, sizeof running / sizeof *running));
    docker_container(ID("1"), "{\"8080/tcp\":" ON("127.0.0.16") "}");
    docker_container(ID("2"), "{\"8080/tcp\":" ON("127.0.0.17") "}");
    write_scratch("_containers_" ID("4") "_json", 0600, "{\"NetworkSettings\":");
    write_scratch("_containers_" ID("5") "_json", 0600, "cut");
    docker_container(ID("6"), "{\"8080/tcp\":" ON("127.0.0.19") ",\"9/tcp\":null}");
    cr_assert(ask(PATIENCE, &taken, &error), "%s", error.text);
    cr_expect_eq(taken, 1 | 8, "%x", taken);
}

Test(launcher_smolvm_docker, a_list_that_can_not_be_had_is_an_error)
{
    static const char *const answers[] = {
        NULL, "", "{}", "cut", "flood", "![]", "[{\"Id\":\"../../x\",\"Names\":[\"/bot-bottle-sidecars-a\"]}]",
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        uint16_t taken;
        struct error error = { 0 };
        if (answers[i] != NULL)
            write_scratch("_containers_json", 0600, answers[i]);
        cr_expect_not(ask(PATIENCE, &taken, &error), "row %zu", i);
        cr_expect(error.code == ERROR_HOST && strstr(error.text, "does not list its containers") != NULL, "%s",
                  error.text);
    }
}

Test(launcher_smolvm_docker, one_that_does_not_answer_is_left_at_the_deadline)
{
    uint16_t taken;
    struct error error = { 0 };
    write_scratch("_containers_json", 0600, "hang");
    cr_expect_not(ask(300000, &taken, &error));
    cr_expect(error.code == ERROR_HOST && strstr(error.text, "docker ps") != NULL, "%s", error.text);
}

Test(launcher_smolvm_docker, where_nobody_listens_nothing_is_published)
{
    uint16_t taken = 7;
    struct error error = { 0 };
    docker_stop(); /* its socket's file stays */
    docker = fork();
    if (docker == 0)
        for (;;)
            pause();
    cr_expect(ask(PATIENCE, &taken, &error), "%s", error.text);
    cr_expect_eq(taken, 0);
    cr_expect(docker_ports_taken("/nonexistent/docker.sock", "x", 0, &taken, &error), "%s", error.text);
}

Test(launcher_smolvm_docker, a_socket_that_the_user_may_not_open_is_an_error_with_its_remedy)
{
    uint16_t taken;
    struct error error = { 0 };
    docker_stop();      /* the socket's file alone says who may */
    if (geteuid() == 0) /* root opens everything: become somebody who doesn't */
        cr_assert(chown(scratch, 65534, 65534) == 0 && chown(docker_path, 65534, 65534) == 0 &&
                  setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 &&
                  setresuid(65534, 65534, 65534) == 0);
    cr_assert_eq(chmod(docker_path, 0), 0);
    cr_expect_not(docker_ports_taken(docker_path, "x", clock_microseconds() + PATIENCE, &taken, &error));
    cr_expect(error.code == ERROR_HOST && strstr(error.text, "usermod -aG docker \"$USER\"") != NULL, "%s", error.text);
}

Test(launcher_smolvm_docker_ports, docker_host_names_a_socket_or_is_refused)
{
    static const struct {
        const char *variable, *path;
    } rows[] = {
        { NULL, "/var/run/docker.sock" },
        { "", "/var/run/docker.sock" },
        { "unix:///run/user/1000/docker.sock", "/run/user/1000/docker.sock" },
        { "tcp://127.0.0.1:2375", NULL },
        { "unix://relative", NULL },
        { "unix://", NULL },
        { "/var/run/docker.sock", NULL },
        { "unix:///"
          "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
          "8",
          NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[108];
        struct error error = { 0 };
        cr_expect_eq(docker_socket_path(rows[i].variable, path, &error), rows[i].path != NULL, "row %zu", i);
        if (rows[i].path != NULL)
            cr_expect_str_eq(path, rows[i].path);
        else
            cr_expect(error.code == ERROR_HOST && strstr(error.text, "DOCKER_HOST") != NULL);
    }
}
