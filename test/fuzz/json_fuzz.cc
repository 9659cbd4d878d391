#include "test/fuzz/decode_twice.h"

namespace chartly {

FUZZ_TARGET(json) {
  size_t choice = fuzz::TakeChoice(input, 10);
  SourceConfig source;
  source.format = Format::kJson;
  switch (choice) {
    case 1:
      source.records = "data[*]";
      break;
    case 2:
      source.shape = RowShape::kHeaderRow;
      break;
    case 3:
      source.shape = RowShape::kZipped;
      break;
    case 4:
      source.shape = RowShape::kKeyed;
      break;
    case 5:
      source.format = Format::kNdjson;
      break;
    case 6:
      source.format = Format::kGeoJson;
      break;
    case 7:
      source.format = Format::kJsonStat;
      break;
    case 8:
      source.format = Format::kAuto;
      break;
    case 9:
      source.records = "a.b[*].c[*]";
      source.pagination.pages = "meta.pages";
      source.pagination.next = "meta.next";
      break;
  }
  fuzz::DecodeTwice(source, {"id", "a.b", "a[0]", "$key", "geometry.coordinates[1]", "value"}, input);
}

}  // namespace chartly
