// The samples in RAM: what LoadGen's QSL loads and unloads, and the batches made of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "dataset.h"
#include "runner.h"

namespace sut {

// Memory that starts at a cache line.
class Block {
  public:
    void resize(size_t bytes);  // contents are lost
    void clear() { memory_.reset(), bytes_ = 0; }
    std::byte* data() { return memory_.get(); }
    const std::byte* data() const { return memory_.get(); }
    size_t size() const { return bytes_; }

  private:
    struct Free {
        void operator()(std::byte* memory) const;
    };
    std::unique_ptr<std::byte, Free> memory_;
    size_t bytes_ = 0;
};

// Where a batch's inputs and attention masks lie.
struct Batch {
    Inputs inputs;
    const std::byte* mask = nullptr;
};

// Memory of one thread for batches that are no neighbours.
struct Gathered {
    std::vector<Block> inputs;
    Block mask;
};

// Loaded samples of a data set, row after row; the first rows again after the last, so that a batch may run
// on.
class Store {
  public:
    Store(const Dataset& dataset, size_t batch);

    // Copies these samples to RAM, in place of any loaded before.
    void load(const std::vector<size_t>& indices);

    // Frees the RAM.
    void unload();

    // An order of these samples in which batches are mostly neighbours in RAM and need no copy: every row
    // once, then those asked for a second time, and so on. Empty where samples are so small that gathering
    // them costs less than ordering them. Offline only: there LoadGen leaves the order to the SUT.
    std::vector<uint32_t> order(const std::vector<size_t>& indices) const;

    // Inputs and masks of any samples: in place where they are neighbours, else copies in `gathered`.
    void batch(const size_t* indices, size_t count, Gathered* gathered, Batch* found) const;

    // Inputs and masks of neighbouring rows.
    void neighbours(size_t row, Batch* found) const;

    // Shape of one sample's mask; nothing where the data set has none.
    const std::optional<Array>& mask() const { return dataset_.mask; }

  private:
    bool together(const size_t* indices, size_t count) const;

    const Dataset& dataset_;
    size_t batch_;
    size_t loaded_ = 0;
    std::vector<uint32_t> rows_;  // by sample index
    std::vector<size_t> row_bytes_;
    std::vector<Block> inputs_;
    Block mask_;
    size_t mask_bytes_ = 0;
};

}  // namespace sut
