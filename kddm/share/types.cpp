#include "krg/share/types.h"

namespace krg::kddm {

const char* name_of(Miss miss) noexcept {
  switch (miss) {
    case Miss::none:
      return "none";
    case Miss::absent:
      return "absent";
    case Miss::access:
      return "access";
    case Miss::contended:
      return "contended";
    case Miss::writer:
      return "writer";
    case Miss::readers:
      return "readers";
    case Miss::expired:
      return "expired";
    case Miss::full:
      return "full";
    case Miss::forked:
      return "forked";
  }
  return "?";
}

}  // namespace krg::kddm
