// Writes the sample archive of the unit tests to the file that is named.
#include "sample.h"

#include "krg/ghost/file.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto sink = krg::ghost::FileSink::create(argv[1]);
  return sink && krg::ghost::write_sample(*sink) && sink->commit() ? 0 : 1;
}
