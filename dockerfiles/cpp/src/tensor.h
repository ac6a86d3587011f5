// What a graph takes and gives, and what that says about batching. Knows no runtime.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sut {

enum class DType { f16, f32, f64, i8, u8, i16, u16, i32, u32, i64, u64, boolean };

// numpy's name of a type, such as "float32".
const char* name_of(DType type);

// Bytes of one element.
size_t size_of(DType type);

// One element as a number.
double number_at(DType type, const std::byte* data, size_t place);

using Shape = std::vector<int64_t>;

// Product of the sizes from `first` on.
int64_t elements(const Shape& shape, size_t first = 0);

// "[3, 224, 224]".
std::string written(const Shape& shape);

// One dimension: a size, or a name where the graph leaves it open (size is then 0).
struct Dim {
    int64_t size = 0;
    std::string name;
    bool open() const { return size <= 0; }
};

using Dims = std::vector<Dim>;

// "[batch, 3]".
std::string written(const Dims& dims);

struct TensorSpec {
    std::string name;
    DType type = DType::f32;
    Dims dims;
};

// A graph's inputs and outputs, in the graph's order. No inputs: takes whatever it is given.
struct Signature {
    std::vector<TensorSpec> inputs;
    std::vector<TensorSpec> outputs;

    // The batch size that the first axes are frozen to; nothing where they are open or no batch axis exists.
    std::optional<int64_t> fixed_batch() const;

    // Whether the inputs share no batch axis: each sample is then one call with the full tensors.
    bool whole() const;

    // Dimensions of one sample's input: without the batch axis where there is one.
    Dims sample_dims(const TensorSpec& spec) const;
};

// One output of a call: `shape[0]` samples. The memory belongs to the runner, until its next call.
struct Output {
    DType type = DType::f32;
    Shape shape;
    const std::byte* data = nullptr;

    size_t row_bytes() const { return static_cast<size_t>(elements(shape, 1)) * size_of(type); }
};

}  // namespace sut
