// why.h: what a task's error was about. Through a lane krgd's errors come as codes, without text.
#pragma once

#include "krg/error/error.h"

namespace krg::kddm {

enum class Subject {
  object,    // get, grab, prefetch
  existing,  // remove, and what is not to create
  sync,      // of an object
  flush,
  size,      // resize()
  set,       // its options, its end
  whole,     // sync() of all of it
  options,   // create()
  new_name,  // bind()
  name_space,
  name,
};

// The error with a text that names the thing, unless it has a text already.
Error about(Subject subject, const Error& error) noexcept;

}  // namespace krg::kddm
