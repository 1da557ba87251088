// epm/image.h: a process as a value: all that is needed to go on with it elsewhere but its memory.
//
// Model    what capture reads and rebuild makes. Kernel structures of x86-64 travel as words, in
//          the layout that the system calls take them in; addresses are those of the process. An
//          image is read from the network: rebuild takes nothing in it for granted.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/epm.md, "The image"; ptrace(2), prctl(2) PR_SET_MM_MAP, rt_sigaction(2)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "krg/wire/codec.h"

namespace krg::epm {

inline constexpr std::uint64_t kPage = 4096;

// [first, second), whole pages.
using Range = std::pair<std::uint64_t, std::uint64_t>;

// Tells whether a path leads to the same file on both sides.
struct FileId {
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::uint64_t changed_ns = 0;  // Of its content.
  static void wire_fields(auto& m, auto&& visit) { visit(m.inode, m.size, m.changed_ns); }
  bool operator==(const FileId&) const = default;
};

struct MappingImage {
  enum class Kind : std::uint8_t { anonymous, file, kernel };
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t offset = 0;
  std::uint32_t protection = 0;
  Kind kind = Kind::anonymous;
  bool shared = false;
  bool grows_down = false;
  std::string path;
  FileId file;
  std::vector<Range> present;  // What has content of its own, and travels.
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.begin, m.end, m.offset, m.protection, m.kind, m.shared, m.grows_down, m.path, m.file,
          m.present);
  }
};

// A siginfo_t.
using SignalInfo = std::array<std::uint8_t, 128>;

struct ThreadImage {
  std::int32_t tid = 0;                     // As it sees itself.
  std::array<std::uint64_t, 27> registers;  // user_regs_struct
  std::vector<std::byte> extended;          // NT_X86_XSTATE
  std::uint64_t blocked = 0;
  std::array<std::uint64_t, 3> rseq{};  // Address; size and signature; flags.
  std::uint64_t robust_list = 0;
  std::uint64_t robust_bytes = 0;
  std::uint64_t clear_tid = 0;
  std::array<std::uint64_t, 3> altstack{};  // stack_t
  std::string name;
  std::int32_t nice = 0;
  std::vector<SignalInfo> pending;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.tid, m.registers, m.extended, m.blocked, m.rseq, m.robust_list, m.robust_bytes,
          m.clear_tid, m.altstack, m.name, m.nice, m.pending);
  }
};

struct FileImage {
  enum class Kind : std::uint8_t {
    path,        // Opened again.
    copy,        // The same open file as `other`.
    event,       // eventfd
    pipe_read,   // A pipe of the process with itself: `other` writes.
    pipe_write,  // `other` reads.
    relay,       // Its other end stays behind; see relay.h.
  };
  std::int32_t fd = -1;
  Kind kind = Kind::path;
  std::uint32_t flags = 0;
  std::uint64_t position = 0;
  std::int32_t other = -1;
  std::uint64_t value = 0;  // Of an eventfd; a pipe's capacity; the relay's number.
  std::string path;
  FileId file;
  std::vector<std::byte> content;  // Of a pipe.
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.fd, m.kind, m.flags, m.position, m.other, m.value, m.path, m.file, m.content);
  }
};

struct ActionImage {
  std::int32_t signal = 0;
  std::array<std::uint64_t, 4> action{};  // What rt_sigaction(2) takes.
  static void wire_fields(auto& m, auto&& visit) { visit(m.signal, m.action); }
};

struct Image {
  static constexpr std::size_t kTimers = 3;
  static constexpr std::size_t kLimits = 16;

  std::int32_t pid = 0;  // As it sees itself.
  std::string program;
  std::string directory;
  std::uint32_t umask = 0;
  bool no_new_privileges = false;
  std::array<std::uint64_t, 11> layout{};  // The addresses of a prctl_mm_map.
  std::vector<std::uint64_t> auxiliary;
  std::vector<MappingImage> mappings;
  std::vector<ThreadImage> threads;  // The first is the leader.
  std::vector<FileImage> files;
  std::vector<ActionImage> actions;
  std::array<std::uint64_t, kTimers * 4> timers{};  // itimerval
  std::array<std::uint64_t, kLimits * 2> limits{};  // rlimit
  std::vector<SignalInfo> pending;                  // For the process as a whole.
  FileId program_file;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.pid, m.program, m.directory, m.umask, m.no_new_privileges, m.layout, m.auxiliary,
          m.mappings, m.threads, m.files, m.actions, m.timers, m.limits, m.pending, m.program_file);
  }
};

// Whether the numbers of an image make sense together: ranges are pages, in order and within the
// user's half, threads and descriptors are named once.
// Errors  corrupt
Status check(const Image& image);

}  // namespace krg::epm
