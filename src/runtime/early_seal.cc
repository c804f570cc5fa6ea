// proa-runtime's first instructions, before those of the C library: create, run and exec execute the program again,
// from a read-only mount (os/own_program.h says why). The library's start asks the processor what it can do, and in a
// virtual machine each such question is a trap to its host: 0.3 ms, which the first of the two executions does without.
//
// Nothing here may need a relocation, a thread pointer or the library. Whatever fails is left to seal_self().
#if defined(__x86_64__) && defined(PROA_EARLY_SEAL)
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

namespace {

constexpr long kReadOnly = 1;  // ST_RDONLY in statfs(2)'s f_flags

long call(long number, long a, long b, long c = 0, long d = 0, long e = 0) {
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
               : "rcx", "r11", "memory");
  return result;
}

long address(const void* pointer) { return reinterpret_cast<long>(pointer); }

bool is_word(const char* word, const char* wanted) {
  while (*word && *word == *wanted) ++word, ++wanted;
  return *word == *wanted;
}

bool starts_a_process(const char* word) {
  return is_word(word, "create") || is_word(word, "run") || is_word(word, "exec");
}

}  // namespace

// `stack` as the kernel left it: argc, the arguments, null, the environment, null (System V ABI, "Process
// Initialization").
extern "C" [[gnu::used]] void proa_early_seal(long* stack) {
  auto** arguments = reinterpret_cast<char**>(stack + 1);
  bool wanted = false;
  for (long i = 1; i < stack[0]; ++i) wanted = wanted || starts_a_process(arguments[i]);
  if (!wanted) return;
  const char* own = "/proc/self/exe";
  struct statfs where;
  if (call(SYS_statfs, address(own), address(&where)) != 0 || (where.f_flags & kReadOnly)) return;
  long program = call(SYS_open_tree, AT_FDCWD, address(own), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (program < 0) return;
  mount_attr attributes{.attr_set = MOUNT_ATTR_RDONLY, .attr_clr = 0, .propagation = 0, .userns_fd = 0};
  if (call(SYS_mount_setattr, program, address(""), AT_EMPTY_PATH, address(&attributes), sizeof attributes) == 0) {
    call(SYS_execveat, program, address(""), address(arguments), address(arguments + stack[0] + 1), AT_EMPTY_PATH);
  }
  call(SYS_close, program, 0);
}

asm(R"(
.globl proa_entry
.type proa_entry, @function
proa_entry:
  mov %rsp, %rdi
  push %rdx
  sub $8, %rsp
  call proa_early_seal
  add $8, %rsp
  pop %rdx
  jmp _start
)");
#endif
