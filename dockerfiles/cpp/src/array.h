// Arrays of samples: .npy files, mapped and not read, or memory of our own.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "tensor.h"

namespace sut {

// An array in C order whose first axis is the sample. Copies share the memory.
struct Array {
    DType type = DType::f32;
    Shape shape;
    const std::byte* data = nullptr;
    std::shared_ptr<const void> owner;

    size_t row_bytes() const { return static_cast<size_t>(elements(shape, 1)) * size_of(type); }
    const std::byte* row(size_t place) const { return data + place * row_bytes(); }
};

// Maps a .npy file (versions 1 to 3, little-endian, C order, no objects); a Fault (exit 2) names the file.
Array read_npy(const std::string& path);

// An array of zeros that can be written through `writable`.
Array new_array(DType type, Shape shape, std::byte** writable);

}  // namespace sut
