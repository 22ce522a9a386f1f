/*
 * See docker.h: what is in the host's firewall and among its interfaces because of a bottle. libnftables is loaded when it is needed, as
 * libcurl is: a start of any other bottle shouldn't wait for it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../support/cleanup.h"
#include "docker.h"

/* What is used of libnftables. */
static struct {
    bool loaded;
    __typeof__(nft_ctx_new) *start;
    __typeof__(nft_ctx_free) *end;
    __typeof__(nft_ctx_buffer_output) *keep_output;
    __typeof__(nft_ctx_buffer_error) *keep_errors;
    __typeof__(nft_ctx_get_output_buffer) *output;
    __typeof__(nft_ctx_get_error_buffer) *errors;
    __typeof__(nft_run_cmd_from_buffer) *run;
} nft;

bool rules_available(struct error *error)
{
    static const struct {
        const char *name;
        void *place;
    } calls[] = {
        { "nft_ctx_new", &nft.start },
        { "nft_ctx_free", &nft.end },
        { "nft_ctx_buffer_output", &nft.keep_output },
        { "nft_ctx_buffer_error", &nft.keep_errors },
        { "nft_ctx_get_output_buffer", &nft.output },
        { "nft_ctx_get_error_buffer", &nft.errors },
        { "nft_run_cmd_from_buffer", &nft.run },
    };
    if (nft.loaded)
        return true;
    void *library = dlopen("libnftables.so.1", RTLD_NOW | RTLD_LOCAL);
    nft.loaded = library != NULL;
    for (size_t i = 0; nft.loaded && i < sizeof calls / sizeof *calls; i++) {
        void *call = dlsym(library, calls[i].name);
        nft.loaded = call != NULL;
        memcpy(calls[i].place, &call, sizeof call);
    }
    return nft.loaded || error_set(error, ERROR_HOST,
                                   "libnftables.so.1 can't be loaded for the bottle's firewall rules: sudo apt install "
                                   "libnftables1 (nixpkgs: nftables)");
}

/* Runs commands of nft(8); what they print goes to `output`, if that is wanted. */
static bool run(const char *what, const char *commands, char *output, size_t capacity, struct error *error)
{
    /* libnftables ends the process if it can't have its socket: ask first. */
    cleanup_close int ask = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (ask < 0)
        return error_system(error, "can't speak to the kernel's firewall (nf_tables)");
    if (!rules_available(error))
        return false;
    struct nft_ctx *context = nft.start(NFT_CTX_DEFAULT);
    if (context == NULL)
        return error_set(error, ERROR_SYSTEM, "can't start libnftables: out of memory");
    bool done = nft.keep_errors(context) == 0 && nft.keep_output(context) == 0 && nft.run(context, commands) == 0;
    const char *said = done ? nft.output(context) : nft.errors(context);
    if (!done)
        error_set(error, ERROR_HOST, "can't change %s firewall rules: nftables says \"%.*s\"", what,
                  said != NULL ? (int)strcspn(said, "\n") : 0, said != NULL ? said : "");
    else if (output != NULL)
        done = snprintf(output, capacity, "%s", said != NULL ? said : "") < (int)capacity ||
               error_set(error, ERROR_HOST, "the host's firewall has more tables than are looked at");
    nft.end(context);
    return done;
}

bool rules_list_tables(char text[CONTAINER_TABLES_MAX], struct error *error)
{
    return run("the host's", "list tables\n", text, CONTAINER_TABLES_MAX, error);
}

bool rules_run(const char *what, const char *rules, struct error *error)
{
    return run(what, rules, NULL, 0, error);
}

/* First of all hooks: whatever another table lets in, this has dropped it. The table is made, never taken over: who ended it then would end
 * another bottle's. */
bool rules_drop_input(unsigned place, const char *mark, struct error *error)
{
    char rules[512];
    struct error said = { 0 };
    snprintf(rules, sizeof rules,
             "create table inet bottle-%u\n"
             "table inet bottle-%u {\n"
             " chain input {\n"
             "  type filter hook input priority -400; policy accept;\n"
             "  iifname \"bottle-%u\" counter drop comment \"bottle-gate %s\"\n"
             " }\n"
             "}\n",
             place, place, place, mark);
    if (rules_run("the bottle's", rules, &said))
        return true;
    if (strstr(said.text, "File exists") != NULL)
        return error_set(
            error, ERROR_HOST,
            "the firewall has a table \"inet bottle-%u\" already: another gate runs here, or was killed; wait "
            "for it, or: bottle-gate gc",
            place);
    return error_set(error, said.code, "%s", said.text);
}

bool rules_clear(unsigned place, const char *mark, unsigned *removed, struct error *error)
{
    char list[64], text[CONTAINER_TABLES_MAX], comment[64];
    struct error said = { 0 };
    snprintf(list, sizeof list, "list table inet bottle-%u\n", place);
    snprintf(comment, sizeof comment, "\"bottle-gate %.33s\"", mark);
    if (!run("the bottle's", list, text, sizeof text, &said))
        return strstr(said.text, "No such file") != NULL || error_set(error, said.code, "%s", said.text);
    if (*mark != '\0' && strstr(text, comment) == NULL)
        return true;
    ++*removed;
    return rules_allow_input(place, error);
}

bool rules_allow_input(unsigned place, struct error *error)
{
    char rules[64];
    snprintf(rules, sizeof rules, "delete table inet bottle-%u\n", place);
    return rules_run("the bottle's", rules, error);
}

bool rules_list_links(char text[CONTAINER_LINKS_MAX], struct error *error)
{
    struct if_nameindex *links = if_nameindex();
    size_t used = 0;
    if (links == NULL)
        return error_system(error, "can't list the host's interfaces");
    for (const struct if_nameindex *link = links; link->if_index != 0 && used < CONTAINER_LINKS_MAX; link++)
        used += (size_t)snprintf(text + used, CONTAINER_LINKS_MAX - used, "%s/", link->if_name);
    if_freenameindex(links);
    return used < CONTAINER_LINKS_MAX ||
           error_set(error, ERROR_HOST, "the host has more interfaces than are looked at");
}

/* The kernel answers before it returns; whether the link is there still says what came of it. */
static bool end_link(int netlink, const char *name, unsigned index, struct error *error)
{
    _Alignas(8) char buffer[256];
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    header->nlmsg_type = RTM_DELLINK;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    struct ifinfomsg *message = mnl_nlmsg_put_extra_header(header, sizeof *message);
    message->ifi_index = (int)index;
    (void)!send(netlink, header, header->nlmsg_len, 0);
    return if_nametoindex(name) == 0 || error_set(error, ERROR_BROKEN, "the interface %s can't be removed", name);
}

bool rules_end_links(const char *before, struct error *error)
{
    struct if_nameindex *links = if_nameindex();
    cleanup_close int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    bool ended = true;
    for (const struct if_nameindex *link = links; link != NULL && link->if_index != 0; link++) {
        char name[IFNAMSIZ + 1];
        snprintf(name, sizeof name, "%.15s/", link->if_name);
        const char *known = strstr(before, name);
        while (known != NULL && known != before && known[-1] != '/') /* "0/" is no "eth0/" */
            known = strstr(known + 1, name);
        if (known == NULL)
            ended = end_link(netlink, link->if_name, link->if_index, error) && ended;
    }
    if_freenameindex(links);
    return ended;
}
