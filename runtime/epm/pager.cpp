#include "pager.h"

#include <linux/userfaultfd.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace krg::epm {
namespace {

// A fault brings its neighbours: most programs go on from where they are.
constexpr std::uint64_t kAround = 16;

}  // namespace

void Lacking::remove(std::uint64_t begin, std::uint64_t end) {
  std::vector<Span> rest;
  for (const Span& span : spans_) {
    const std::uint64_t first = std::max(begin, span.begin), last = std::min(end, span.end);
    if (first >= last) {
      rest.push_back(span);
      continue;
    }
    if (span.begin < first) rest.push_back({span.begin, first, span.source});
    if (last < span.end) rest.push_back({last, span.end, span.source + (last - span.begin)});
  }
  spans_ = std::move(rest);
}

void Lacking::move(std::uint64_t from, std::uint64_t to, std::uint64_t bytes) {
  std::vector<Span> moved;
  for (const Span& span : spans_) {
    const std::uint64_t first = std::max(from, span.begin);
    const std::uint64_t last = std::min(from + bytes, span.end);
    if (first >= last) continue;
    moved.push_back({first - from + to, last - from + to, span.source + (first - span.begin)});
  }
  remove(from, from + bytes);
  remove(to, to + bytes);
  spans_.insert(spans_.end(), moved.begin(), moved.end());
}

std::uint64_t Lacking::count(std::uint64_t at, std::uint64_t most, std::uint64_t& source) const {
  for (const Span& span : spans_) {
    if (at < span.begin || at >= span.end) continue;
    source = span.source + (at - span.begin);
    return std::min(most, (span.end - at) / kPage);
  }
  return 0;
}

std::vector<Lacking::Piece> Lacking::pieces(std::uint64_t begin, std::uint64_t end) const {
  std::vector<Piece> found;
  for (const Span& span : spans_) {
    const std::uint64_t first = std::max(begin, span.source);
    const std::uint64_t last = std::min(end, span.source + (span.end - span.begin));
    if (first < last) found.push_back({span.begin + (first - span.source), first, last - first});
  }
  return found;
}

struct Pager::Context final : reactor::FdHandler {
  Context(Pager& p, UniqueFd f) : pager(p), faults(std::move(f)) {}
  ~Context() { pager.reactor_.unwatch(faults.get()); }
  void on_fd(std::uint32_t) noexcept override { pager.on_event(*this); }

  Pager& pager;
  UniqueFd faults;
  Lacking lacking;
  bool gone = false;
};

Pager::Pager(reactor::Reactor& reactor, Want want, Done done)
    : reactor_(reactor), want_(std::move(want)), done_(std::move(done)) {}
Pager::~Pager() = default;

Status Pager::open(UniqueFd faults, const std::vector<MappingImage>& mappings) {
  uffdio_api api{};
  api.api = UFFD_API;
  api.features = UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP |
                 UFFD_FEATURE_EVENT_FORK;
  if (ioctl(faults.get(), UFFDIO_API, &api) != 0) {
    return errno_error(Errc::not_supported, "faults of the task can not be served");
  }
  auto context = std::make_unique<Context>(*this, std::move(faults));
  for (const MappingImage& mapping : mappings) {
    if (mapping.kind != MappingImage::Kind::anonymous || mapping.present.empty()) continue;
    uffdio_register range{};
    range.range = {mapping.begin, mapping.end - mapping.begin};
    range.mode = UFFDIO_REGISTER_MODE_MISSING;
    if (ioctl(context->faults.get(), UFFDIO_REGISTER, &range) != 0) {
      return errno_error(Errc::system_error, "watching the task's memory");
    }
    watched_.emplace_back(mapping.begin, mapping.end);
    for (const Range& present : mapping.present) context->lacking.add(present);
  }
  contexts_.push_back(std::move(context));
  return {};
}

bool Pager::covers(std::uint64_t address) const noexcept {
  return std::any_of(watched_.begin(), watched_.end(), [address](const Range& range) {
    return address >= range.first && address < range.second;
  });
}

void Pager::start() {
  running_ = true;
  for (const auto& context : contexts_) {
    (void)reactor_.watch(context->faults.get(), EPOLLIN, *context);
  }
  finish_if_whole();
}

// True if all of the piece is there, or will never be wanted.
bool Pager::copy(Context& context, const Lacking::Piece& piece, const std::byte* from) {
  std::uint64_t done = 0;
  while (done < piece.bytes) {
    uffdio_copy copy{};
    copy.dst = piece.here + done;
    copy.src = reinterpret_cast<std::uint64_t>(from) + done;
    copy.len = piece.bytes - done;
    const bool all = ioctl(context.faults.get(), UFFDIO_COPY, &copy) == 0;
    if (copy.copy > 0) {
      context.lacking.remove(copy.dst, copy.dst + static_cast<std::uint64_t>(copy.copy));
      done += static_cast<std::uint64_t>(copy.copy);
      continue;
    }
    if (all) break;
    if (copy.copy == -EAGAIN) return false;  // Its address space changes: events tell how.
    // There already, or not watched any more.
    uffdio_range page{copy.dst, kPage};
    (void)ioctl(context.faults.get(), UFFDIO_WAKE, &page);
    context.lacking.remove(copy.dst, copy.dst + kPage);
    if (copy.copy == -ESRCH) context.gone = true;
    done += kPage;
  }
  return true;
}

void Pager::arrived(std::uint64_t source, std::span<const std::byte> bytes) {
  for (std::size_t i = 0; i < contexts_.size(); ++i) {  // Events may add one.
    Context& context = *contexts_[i];
    bool again = true;
    while (again) {
      again = false;
      for (const auto& piece : context.lacking.pieces(source, source + bytes.size())) {
        if (copy(context, piece, bytes.data() + (piece.source - source))) continue;
        // The change waits until its event has been read; then what is lacked is another range.
        while (take_event(context)) {
        }
        again = true;
        break;
      }
    }
  }
  if (running_) finish_if_whole();
}

void Pager::on_event(Context& context) {
  for (int events = 0; events < 32 && take_event(context); ++events) {
  }
  if (context.gone) context.lacking = {};
  finish_if_whole();
}

// One event; false: there is none.
bool Pager::take_event(Context& context) {
  uffd_msg message;
  const ssize_t n = read(context.faults.get(), &message, sizeof message);
  if (n != sizeof message) {
    // The address space is gone: nobody will ask again.
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) context.gone = true;
    return false;
  }
  switch (message.event) {
    case UFFD_EVENT_PAGEFAULT:
      fault(context, message.arg.pagefault.address / kPage * kPage);
      break;
    case UFFD_EVENT_REMOVE:
    case UFFD_EVENT_UNMAP:
      context.lacking.remove(message.arg.remove.start, message.arg.remove.end);
      break;
    case UFFD_EVENT_REMAP:
      context.lacking.move(message.arg.remap.from, message.arg.remap.to, message.arg.remap.len);
      break;
    case UFFD_EVENT_FORK: {
      auto child =
          std::make_unique<Context>(*this, UniqueFd(static_cast<int>(message.arg.fork.ufd)));
      child->lacking = context.lacking;
      if (running_) (void)reactor_.watch(child->faults.get(), EPOLLIN, *child);
      contexts_.push_back(std::move(child));
      break;
    }
    default:
      break;
  }
  return true;
}

void Pager::fault(Context& context, std::uint64_t address) {
  std::uint64_t source = 0;
  const std::uint64_t pages = context.lacking.count(address, kAround, source);
  if (pages == 0) return zero(context, address);
  want_(source, pages);
}

void Pager::zero(Context& context, std::uint64_t page) {
  uffdio_zeropage zero{};
  zero.range = {page, kPage};
  (void)ioctl(context.faults.get(), UFFDIO_ZEROPAGE, &zero);
  // Also where it was there already.
  (void)ioctl(context.faults.get(), UFFDIO_WAKE, &zero.range);
}

void Pager::finish_if_whole() {
  if (!running_ || contexts_.empty()) return;
  for (const auto& context : contexts_) {
    if (!context->lacking.empty() && !context->gone) return;
  }
  // Closing it wakes who waits, and takes no faults any more.
  contexts_.clear();
  running_ = false;
  done_();
}

}  // namespace krg::epm
