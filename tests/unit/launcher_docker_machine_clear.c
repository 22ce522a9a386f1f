/* What a killed maker left is removed by its mark and nothing else is, whatever an engine answers; and an engine's word isn't taken for whose a
 * process is and what ids it has. */
#include "launcher_docker_machine.h"

TestSuite(docker_machine_clear, .init = needs_an_engine, .timeout = 300);

static int told;

static void make_and_wait(void)
{
    struct bottle *bottle = start(&docker_backend, 0);
    if (bottle != NULL && write_all(told, "x", 1))
        pause();
}

static void kill_the_maker(void)
{
    int ends[2];
    char byte;
    unsigned removed = 99;
    struct error error = { 0 };
    if (!expect(pipe2(ends, O_CLOEXEC) == 0, "no pipe"))
        return;
    told = ends[1];
    pid_t maker = fork_maker(make_and_wait);
    close(ends[1]);
    expect(read(ends[0], &byte, 1) == 1, "it made no bottle");
    process_kill(maker);
    snprintf(machine.mark, sizeof machine.mark, "0123456789abcdef0123456789abcdee");
    if (!expect(docker_backend.machine_open(&machine, &error), "no machine: %s", error.text))
        return;
    expect(docker_backend.machine_clear(&machine, &removed, &error) && removed == 0, "another's mark: %u %s", removed,
           error.text);
    char tables[CONTAINER_TABLES_MAX];
    expect(count("/containers/json") == 2 && count("/networks") == 3 && count("/images/json") == 1 &&
               rules_list_tables(tables, &error) && strstr(tables, "inet bottle-0\n") != NULL,
           "another's bottle was removed, and the mark was another");
    snprintf(machine.mark, sizeof machine.mark, MARK);
    expect(docker_backend.machine_clear(&machine, &removed, &error) && removed == 5, "removed %u of 5: %s", removed,
           error.text);
    expect(docker_backend.machine_clear(&machine, &removed, &error) && removed == 0, "again: %u %s", removed,
           error.text);
    snprintf(machine.mark, sizeof machine.mark, "0\"]}");
    expect(!docker_backend.machine_clear(&machine, &removed, &error) && error.code == ERROR_USAGE,
           "a mark that is none");
    docker_backend.machine_close(&machine);
}

Test(docker_machine_clear, is_cleared_of_what_a_killed_maker_left_by_its_mark_alone)
{
    attempt("{}", kill_the_maker);
}

static void make_two_and_wait(void)
{
    if (start(&docker_backend, 0) != NULL && start(&docker_backend, backend_all_fences(&docker_backend)) != NULL &&
        write_all(told, "x", 1))
        pause();
}

static void clear_all(void)
{
    int ends[2];
    char byte;
    unsigned removed = 99;
    struct error error = { 0 };
    if (!expect(pipe2(ends, O_CLOEXEC) == 0, "no pipe"))
        return;
    told = ends[1];
    pid_t maker = fork_maker(make_two_and_wait);
    close(ends[1]);
    expect(read(ends[0], &byte, 1) == 1, "it made no bottles");
    process_kill(maker);
    cleanup_json cJSON *other = ask("POST", "/networks/create", "{\"Name\":\"other\"}");
    machine.mark[0] = '\0';
    expect(docker_backend.machine_open(&machine, &error) && docker_backend.machine_clear(&machine, &removed, &error) &&
               removed == 6,
           "removed %u of 6: %s", removed, error.text);
    expect(count("/networks") == 3, "a network that isn't ours was removed");
    docker_backend.machine_close(&machine);
    char path[100] = "/networks/";
    struct docker_client client;
    docker_id(other, "Id", path + strlen(path));
    expect(docker_connect(&client, "/run/docker.sock", clock_microseconds() + PATIENCE, &error) &&
               docker_call(&client, "DELETE", path, NULL, NULL, &error),
           "%s", error.text);
}

Test(docker_machine_clear, is_cleared_of_all_marks_and_of_nothing_else)
{
    attempt("{}", clear_all);
}

/* A process with a user namespace whose ids 0 to 9 are others of this machine. */
static void look_at_ids(void)
{
    int ready[2];
    char path[64], byte;
    uid_t uid = 1;
    struct error error = { 0 };
    if (!expect(pipe2(ready, O_CLOEXEC) == 0, "no pipe"))
        return;
    pid_t pid = fork();
    if (pid == 0) {
        process_die_with_parent(-1);
        (void)!write(ready[1], "x", unshare(CLONE_NEWUSER) == 0 ? 1 : 0);
        pause();
    }
    close(ready[1]);
    expect(read(ready[0], &byte, 1) == 1, "no user namespace");
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    int process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    expect(!first_process_uid(process, 0, &uid, NULL), "uid 0 of no map is %u", (unsigned)uid);
    snprintf(path, sizeof path, "/proc/%d/uid_map", (int)pid);
    expect(file_write(path, "0 100000 10\n20 200000 5\n", &error), "%s", error.text);
    expect(first_process_uid(process, 0, &uid, &error) && uid == 100000, "0 is %u", (unsigned)uid);
    expect(first_process_uid(process, 24, &uid, &error) && uid == 200004, "24 is %u", (unsigned)uid);
    struct bottle bottle = { .process = process };
    container_engine.of_machine = true;
    expect(docker_backend.host_uid(&bottle, PRINCIPAL_ROOT, &uid, &error) && uid == 100000 &&
               !docker_backend.host_uid(&bottle, PRINCIPAL_USER, &uid, NULL),
           "the bottle's uids");
    container_engine = (struct engine){ 0 };
    expect(!first_process_uid(process, 10, &uid, &error) && error.code == ERROR_BROKEN &&
               strcmp(error.text, "uid 10 of the container is no uid of this machine") == 0,
           "10 is %u: %s", (unsigned)uid, error.text);
    process_kill(pid);
    expect(!first_process_uid(process, 0, &uid, NULL), "uid 0 of a process that is gone is %u", (unsigned)uid);
    close(process);
}

/* What the engine calls started may still be about to become the container's program. */
static void become_it(char *const before[])
{
    struct error error = { 0 };
    struct bottle bottle = { 0 };
    char path[64], byte;
    int ready[2];
    if (!expect(pipe(ready) == 0, "no pipe"))
        return;
    container_engine.of_machine = true;
    snprintf(container_engine.token, sizeof container_engine.token, "cafe");
    pid_t pid = fork();
    if (pid == 0) {
        char *const arguments[] = {
            (char[]){ "sh" }, (char[]){ "-c" },
            (char[]){
                "echo >&$0; /bin/sleep 0.3; unset _LIBCONTAINER_FIFOFD; BOTTLE_GATE_TOKEN=cafe exec /bin/sleep 1000" },
            (char[]){ "9" }, NULL
        };
        process_die_with_parent(-1);
        dup2(ready[1], 9);
        execve("/bin/sh", arguments, before);
        _exit(1);
    }
    close(ready[1]);
    expect(read(ready[0], &byte, 1) == 1, "no shell");
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    int process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    expect(first_process_is_ours(&bottle, process, bottle.container, &error), "%s", error.text);
    snprintf(container_engine.token, sizeof container_engine.token, "beef");
    expect(!first_process_is_ours(&bottle, process, bottle.container, &error), "another token");
    close(process);
    close(ready[0]);
    process_kill(pid);
    container_engine = (struct engine){ 0 };
}

/* Answers each request with the next of `answers`, and keeps their first lines in `asked`. */
static pid_t lie(const char *path, const char *const answers[], char *asked)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    expect(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 64) == 0, "can't lie");
    pid_t pid = fork();
    if (pid != 0) {
        close(listener);
        return pid;
    }
    process_die_with_parent(-1);
    for (; *answers != NULL; answers++) {
        char request[1024] = "";
        int guest = accept(listener, NULL, NULL);
        ssize_t got = read(guest, request, sizeof request - 1);
        snprintf(asked + strlen(asked), 2000 - strlen(asked), "%.*s\n", (int)strcspn(request, "\r"),
                 got > 0 ? request : "");
        dprintf(guest, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(*answers), *answers);
        close(guest);
    }
    _exit(0);
}

#define VERSION_ANSWER "{\"Version\":\"20.10\",\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\"}"

#define IMAGES                                                                                                         \
    "[{\"RepoTags\":[\"debian:12\",\"bottle-gate:../"                                                                  \
    "x\",\"bottle-gate:cd\",7,\"bottle-gate:ab\"]},{\"RepoTags\":null},5]"
#define FIRST                 "0000000000000000000000000000000000000000000000000000000000000001"
#define LATE                  "0000000000000000000000000000000000000000000000000000000000000002"
#define DELETED_CONTAINER(id) "DELETE /v1.41/containers/" id "?force=true&v=true HTTP/1.1\n"
#define DELETED(tag)          "DELETE /v1.41/images/bottle-gate:" tag "?force=true HTTP/1.1\n"

static void clear_what_lies(void)
{
    static const char *const no_id[] = { VERSION_ANSWER, "[{\"Id\":\"../../images/prune\"}]", NULL },
                             *const no_list[] = { VERSION_ANSWER, "{}", NULL },
                             *const images[] = { VERSION_ANSWER, "[]", "[]", IMAGES, "[]", NULL },
                             *const any_images[] = { VERSION_ANSWER, "[]", "[]", IMAGES, "[]", "[]", NULL };
    /* What was asked for last comes when all seemed gone. */
    static const char *const late[] = { VERSION_ANSWER,
                                        "[{\"Id\":\"" FIRST "\"}]",
                                        "",
                                        "[]",
                                        "[{\"Id\":\"" LATE "\"}]",
                                        "",
                                        "[]",
                                        "[]",
                                        "[]",
                                        "[]",
                                        NULL };
    static const struct {
        const char *path, *mark, *const *answers, *text, *deletes;
        unsigned removed;
    } rows[] = {
        { "/tmp/1", "ab", no_id, "Docker lists something that has no id", "", 0 },
        { "/tmp/2", "ab", no_list, "is no list", "", 0 },
        { "/tmp/3", "ab", images, "", DELETED("ab"), 1 },
        { "/tmp/5", "ab", late, "", DELETED_CONTAINER(FIRST) DELETED_CONTAINER(LATE), 1 },
        { "/tmp/4", "", any_images, "", DELETED("cd") DELETED("ab"), 2 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned removed = 9;
        struct error error = { 0 }, gone = { 0 };
        char *asked = mmap(NULL, 2000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        pid_t liar = lie(rows[i].path, rows[i].answers, asked);
        struct machine lying = { .proc = -1, .engine = open(rows[i].path, O_PATH | O_CLOEXEC) };
        snprintf(lying.mark, sizeof lying.mark, "%s", rows[i].mark);
        bool cleared = machine_clear(&lying, &removed, &error);
        expect(cleared == (*rows[i].text == '\0') && strstr(error.text, rows[i].text) != NULL &&
                   removed == rows[i].removed,
               "%zu: %d, %u: %s", i, cleared, removed, error.text);
        char deletes[1000] = "";
        for (char *rest = asked, *line; (line = strsep(&rest, "\n")) != NULL;)
            if (strncmp(line, "DELETE ", 7) == 0)
                snprintf(deletes + strlen(deletes), sizeof deletes - strlen(deletes), "%s\n", line);
        expect(strcmp(deletes, rows[i].deletes) == 0, "%zu: asked %s", i, deletes);
        process_kill(liar);
        expect(!machine_clear(&lying, &removed, &gone) && strstr(gone.text, rows[i].path) != NULL, "%s", gone.text);
        close(lying.engine);
    }
}

static void without_an_engine(void)
{
    look_at_ids();
    become_it((char *const[]){ (char[]){ "_LIBCONTAINER_FIFOFD=5" }, NULL });
    become_it((char *const[]){ NULL });
    clear_what_lies();
}

Test(docker_machine_clear, takes_no_ones_word_for_ids_and_processes)
{
    attempt("{}", without_an_engine);
}
