/* Calls the nodes in the archive and says what happened. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Twin of Report in src/lib.rs. */
struct report {
    uint32_t wrong, lines, replies, gossip, timeouts, checksum, tiny_bytes, small_bytes;
};

struct report rumormill_no_alloc_drive(uint32_t requests);

int main(int argc, char **argv) {
    struct report r = rumormill_no_alloc_drive(argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000);
    printf("%u lines handled, %u replies, %u gossip lines, %u timeouts, checksum %08x\n", r.lines, r.replies, r.gossip,
           r.timeouts, r.checksum);
    printf("Node<Tiny> takes %u bytes, Node<Small> %u\n", r.tiny_bytes, r.small_bytes);
    if (r.wrong != 0) {
        printf("went wrong: number %u of Wrong in src/lib.rs\n", r.wrong);
        return 1;
    }
    return 0;
}
