#include "why.h"

namespace krg::kddm {
namespace {

constexpr const char* kLinker = "the set's linker";

const char* of_object(Subject subject, Errc code) noexcept {
  switch (code) {
    case Errc::not_found:
      if (subject == Subject::existing) return "no such object, or no such set";
      // A first touch at another node tells no more than this.
      return subject == Subject::object ? "no such set, or nothing where its linker looks"
                                        : "no such set";
    case Errc::invalid_argument:
      return "an object id that is not in the set";
    case Errc::would_block:
      return "a shared object that others use";
    case Errc::timed_out:
      return "waiting for a shared object";
    case Errc::no_space:
      return subject == Subject::sync || subject == Subject::flush
                 ? kLinker
                 : "no room for the shared object";
    case Errc::limit_reached:
      return subject == Subject::flush ? "no other node takes the shared object"
                                       : "more leases than a task may have";
    case Errc::not_supported:
      return "the linker of the shared object's set";
    default:
      return "a shared object";
  }
}

const char* of_set(Subject subject, Errc code) noexcept {
  switch (code) {
    case Errc::not_found:
      return subject == Subject::options ? "no such name space" : "no such set";
    case Errc::invalid_argument:
      return subject == Subject::options ? "no linker of this name, or one that refuses the options"
                                         : "a set";
    case Errc::already_exists:
      return "a set of this id";
    case Errc::timed_out:
      return subject == Subject::whole ? "writing back a set; a part of it has been" : "a set";
    case Errc::not_supported:
      return "a set that lasts nowhere but in memory";
    case Errc::no_space:
      return subject == Subject::whole ? kLinker : "a set";
    case Errc::denied:
      if (subject == Subject::whole) return kLinker;
      return "one of the cluster's own sets";
    default:
      return "a set";
  }
}

const char* of_name_space(Errc code) noexcept {
  switch (code) {
    case Errc::not_found:
      return "no such name space";
    case Errc::already_exists:
      return "a name space has this name";
    case Errc::invalid_argument:
      return "a name space's name has 1 to 255 bytes";
    case Errc::limit_reached:
      return "more name spaces than a cluster may have";
    case Errc::denied:
      return "the default name space";
    case Errc::timed_out:
      return "the end of a name space; a part of it has gone";
    default:
      return "a name space";
  }
}

const char* of_name(Subject subject, Errc code) noexcept {
  switch (code) {
    case Errc::not_found:
      return subject == Subject::new_name ? "no such name space" : "no set of this name";
    case Errc::already_exists:
      return "a set has this name";
    case Errc::invalid_argument:
      return "a set's name has 1 to 255 bytes";
    default:
      return "the name of a set";
  }
}

const char* text_for(Subject subject, const Error& error) noexcept {
  // Only a linker's errors are those of a system call; from another node they come without it.
  if (error.native() != 0) return kLinker;
  switch (subject) {
    case Subject::object:
    case Subject::existing:
    case Subject::sync:
    case Subject::flush:
      return of_object(subject, error.code());
    case Subject::size:
      return error == Errc::invalid_argument ? "a size that the set does not allow"
                                             : of_object(subject, error.code());
    case Subject::set:
    case Subject::whole:
    case Subject::options:
      return of_set(subject, error.code());
    case Subject::name:
    case Subject::new_name:
      return of_name(subject, error.code());
    case Subject::name_space:
      return of_name_space(error.code());
  }
  return nullptr;
}

}  // namespace

Error about(Subject subject, const Error& error) noexcept {
  if (error.what() != nullptr) return error;
  Error named = Error(error.code(), text_for(subject, error)).with_native(error.native());
  return error.has_peer() ? named.with_peer(error.peer()) : named;
}

}  // namespace krg::kddm
