#include "test/fuzz/decode_twice.h"

namespace chartly {

FUZZ_TARGET(csv) {
  size_t choice = fuzz::TakeChoice(input, 7);
  SourceConfig source;
  source.format = choice == 1 ? Format::kTsv : Format::kCsv;
  if (choice == 2) source.csv.skip_lines = 2;
  if (choice == 3) source.csv.comment = '#';
  if (choice == 4) source.csv.header = false;
  if (choice == 4) source.csv.columns = {"a", "b", "c"};
  if (choice == 5) source.csv.delimiter = ';';
  if (choice == 5) source.csv.quote = '\0';
  if (choice == 6) source.unpivot = {{"a"}, {}, "name", "value"};
  std::vector<std::string> paths = {"a", "b", "c"};
  if (choice == 6) paths = {"a", "name", "value"};
  fuzz::DecodeTwice(source, paths, input);
}

}  // namespace chartly
