// Finds the rows of a JSON document that comes in parts, of any size: walks over its tokens with a stack of the open
// containers, and hands over each row as soon as it is there. Of what is around the rows it keeps only the fields that
// are asked for. Rows may have been given when the document turns out to be wrong further on; that there are none is
// said when all of it was read. Not thread-safe.
//
// A field of an outer level must stand before the first row it belongs to: PAYLOAD_FIELD_AFTER_ROWS. The path of the
// rows must lead to one place: PAYLOAD_DUPLICATE_NAME.
#ifndef CHARTLY_DRONE_DECODE_JSON_STREAM_H_
#define CHARTLY_DRONE_DECODE_JSON_STREAM_H_

#include <deque>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "drone/decode/json_binder.h"
#include "drone/decode/json_plan.h"
#include "drone/decode/json_row_reader.h"
#include "drone/decode/path_tree.h"

namespace chartly::drone {

class JsonStream {
 public:
  // Requires: both outlive this.
  JsonStream(const JsonPlan& plan, JsonRowReader& reader);

  // Reads on in the document. `index` begins where `consumed` said last time, and `last` says that nothing comes after
  // it. `consumed` is the first token that must come again, or index.size().
  absl::Status Feed(const JsonIndex& index, bool last, size_t& consumed);

  // A field of a level outside the rows, as far as the document was read; its address stays.
  const Field& outer(size_t level, size_t path) const { return kept_[level][trees_[level].CellOf(path)].field; }

 private:
  using Node = PathTree::Node;
  // What is wanted of a value: how many steps of source.records lead to it (kOff: none do), and for each level what
  // the paths want below.
  struct Context {
    static constexpr size_t kOff = ~size_t{0};
    size_t step = kOff;
    size_t level = 0;
    bool row = false;
    std::vector<const Node*> nodes;
  };
  struct Frame {
    bool object = false;
    bool rows = false;   // what is inside are rows
    bool found = false;  // the step of the path was found inside
    size_t count = 0;
    Context context;
  };
  struct Kept {
    Field field;
    std::string text;
  };
  enum class State { kValue, kFirstElement, kFirstKey, kKey, kAfterValue, kEnd };

  absl::Status Token(bool last);
  absl::Status Value(bool last);
  absl::Status Open(bool object, bool rows);
  absl::Status Close();
  absl::Status Scalar();
  absl::Status Key();
  absl::Status GiveRow(bool last);
  absl::Status Finish();
  // Sets context_ for the next element or member of the innermost container.
  void NextElement();
  absl::Status NextMember(absl::string_view key);
  void Descend(const Frame& frame, absl::string_view key);
  absl::Status EnterPath(bool& open_rows, bool& row);
  absl::Status Missing(size_t step, absl::string_view what);
  absl::Status CheckOuterFields();
  void AfterValue();
  absl::Status Wrong(absl::string_view why) const;
  absl::string_view KindName() const;

  const JsonPlan& plan_;
  JsonRowReader& reader_;
  std::deque<PathTree> trees_;           // by level, without the row's
  std::vector<std::vector<Kept>> kept_;  // by level, then cell
  JsonBinder scalar_;
  std::vector<Frame> frames_;
  size_t depth_ = 0;  // frames in use; those beyond keep their memory
  Context context_;   // of the value that comes next
  State state_ = State::kValue;
  bool checked_outer_ = false;
  const JsonIndex* index_ = nullptr;
  size_t at_ = 0;
  bool stopped_ = false;  // more text is needed
  absl::Status no_records_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_JSON_STREAM_H_
