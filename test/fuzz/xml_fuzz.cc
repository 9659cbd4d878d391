#include "test/fuzz/decode_twice.h"

namespace chartly {

FUZZ_TARGET(xml) {
  SourceConfig source;
  source.format = Format::kXml;
  size_t choice = fuzz::TakeChoice(input, 3);
  source.records = choice == 0 ? "root.row[*]" : choice == 1 ? "g:DataSet.g:Series[*].g:Obs[*]" : "a[*].b[*]";
  if (choice == 1) source.namespaces["g"] = "urn:g";
  fuzz::DecodeTwice(source, {"@id", "a", "b.c", "b.@d", "$text"}, input);
}

}  // namespace chartly
